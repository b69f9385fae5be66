"""What the faults and HTTP statuses of a WinRM service mean, in one table."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum
from typing import Final, Literal

from agent.wire.message import EMPTY, Message, message

#: The request that was answered.
Request = Literal["config", "create", "command", "send", "receive", "delete"]
_ALL: Final = frozenset[Request]({"config", "create", "command", "send", "receive", "delete"})
_OPENING: Final = frozenset[Request]({"create", "command"})
_STREAMS: Final = frozenset[Request]({"send", "receive"})

#: An HRESULT of this facility contains a Win32 error code.
_WIN32 = 0x80070000


class Effect(Enum):
    """What a fault means for the request and its shell."""

    #: Repeating the request cannot help.
    PERMANENT = "permanent"
    #: The same request may succeed later.
    TRANSIENT = "transient"
    #: The shell and its processes are gone; a new shell may work.
    ENDED = "ended"
    #: The account must not use the service.
    DENIED = "denied"
    #: The message is over MaxEnvelopeSizekb; a shorter one may be accepted.
    TOO_LARGE = "too large"
    #: Nothing happened in time; a Receive is repeated.
    TIMED_OUT = "timed out"


@dataclass(frozen=True, slots=True)
class Meaning:
    """A row of the table.

    A fault belongs to the first row with its code. A fault whose code is in no row belongs to the first row
    with its SOAP code or subcode. ``at`` and ``text`` narrow a row to some requests and some texts, since a
    Win32 code has a meaning for a certain request only.
    """

    effect: Effect
    cause: Message = EMPTY
    remedy: Message = EMPTY
    codes: frozenset[int] = frozenset()
    #: Without the namespace's prefix.
    names: frozenset[str] = frozenset()
    at: frozenset[Request] = _ALL
    text: re.Pattern[str] | None = None

    def admits(self, at: Request, text: str) -> bool:
        """Whether the row is about faults of that request with that text."""
        return at in self.at and (self.text is None or self.text.search(text) is not None)


_OTHER_SERVICE = message(
    "winrm.fault-other-service.remedy",
    "install the updates of Windows on the node (WinRM 3.0 or newer is required), check that the address "
    "and port are those of its own WinRM service, or use `transport: ssh`",
)
REMOTE_SHELLS = message("winrm.fault-remote-shells", "the node's WinRM does not allow remote shells")
REMOTE_SHELLS_REMEDY = message(
    "winrm.fault-remote-shells.remedy",
    "enable the policy Allow Remote Shell Access on the node (Computer Configuration, Administrative "
    "Templates, Windows Components, Windows Remote Shell), or run in its PowerShell: "
    "Set-Item WSMan:\\localhost\\Shell\\AllowRemoteShellAccess $true",
)

TABLE: Final = (
    Meaning(
        Effect.TRANSIENT,
        message("winrm.fault-shells", "the account's quota of WinRM shells on the node is used up"),
        message(
            "winrm.fault-shells.remedy",
            "end other WinRM sessions of this account; shells of lost connections end within 5 minutes. In "
            "the node's PowerShell, Get-WSManInstance shell -Enumerate lists the shells, and "
            "Set-Item WSMan:\\localhost\\Shell\\MaxShellsPerUser 100 raises the quota",
        ),
        codes=frozenset({2150859173, 2150859236, 2150859238}),
    ),
    Meaning(
        Effect.TRANSIENT,
        message("winrm.fault-operations", "the account's quota of WinRM operations on the node is used up"),
        message(
            "winrm.fault-operations.remedy",
            "end other WinRM sessions of this account, or raise the quota in the node's PowerShell: "
            "Set-Item WSMan:\\localhost\\Service\\MaxConcurrentOperationsPerUser 1500",
        ),
        codes=frozenset({2150859174, 2150859239, 2150859240}),
    ),
    Meaning(
        Effect.TRANSIENT,
        message("winrm.fault-processes", "the quota of processes in a WinRM shell is used up"),
        message(
            "winrm.fault-processes.remedy",
            "raise the quota in the node's PowerShell: "
            "Set-Item WSMan:\\localhost\\Shell\\MaxProcessesPerShell 100",
        ),
        codes=frozenset({2150859241}),
    ),
    Meaning(
        Effect.TRANSIENT,
        message("winrm.fault-quota", "a quota of the node's WinRM is used up"),
        message(
            "winrm.fault-quota.remedy",
            "end other WinRM sessions on the node, or raise the quota. In the node's PowerShell, "
            "dir WSMan:\\localhost\\Shell and dir WSMan:\\localhost\\Service list the quotas",
        ),
        codes=frozenset({2150858815, 2150859175, 2150859176, 2150859179, 2150859237, 2150859242}),
        names=frozenset({"QuotaLimit"}),
    ),
    Meaning(
        Effect.TRANSIENT,
        message(
            "winrm.fault-memory",
            "the node has too little memory, or the shell has reached the quota MaxMemoryPerShellMB",
        ),
        message(
            "winrm.fault-memory.remedy",
            "end programs on the node, enlarge its paging file, or raise the quota in its PowerShell: "
            "Set-Item WSMan:\\localhost\\Shell\\MaxMemoryPerShellMB 4096",
        ),
        codes=frozenset({8, 14, 1450, 1455, 1816}),
    ),
    Meaning(
        Effect.TRANSIENT,
        message("winrm.fault-host-not-started", "WinRM could not start its host process on the node"),
        message(
            "winrm.fault-host-not-started.remedy",
            "sign in to the node once with this account, check its free memory, and run Restart-Service "
            "WinRM in its PowerShell",
        ),
        codes=frozenset({1018, 2150858755, 2150858883, 2150858906, 2150859118}),
        at=_OPENING,
    ),
    Meaning(
        Effect.ENDED,
        message(
            "winrm.fault-host-ended",
            "WinRM's host process on the node has ended, and with it all that ran in the shell",
        ),
        message(
            "winrm.fault-host-ended.remedy",
            "connect again. If it ends again, check the node's memory and its Application event log",
        ),
        codes=frozenset({109, 232, 233, 1722, 1726, 1727}),
    ),
    Meaning(
        Effect.TRANSIENT,
        message("winrm.fault-shutdown", "the node is shutting down"),
        message("winrm.fault-shutdown.remedy", "connect again when the node has started"),
        codes=frozenset({1115}),
    ),
    Meaning(
        Effect.PERMANENT,
        message(
            "winrm.fault-no-program",
            "the node cannot start the shell's program: cmd.exe, the working folder or the account's profile "
            "is missing",
        ),
        message(
            "winrm.fault-no-program.remedy",
            "sign in to the node once with this account, and check that the variable ComSpec there names "
            "an existing cmd.exe",
        ),
        codes=frozenset({2, 3, 267}),
        at=_OPENING,
    ),
    Meaning(
        Effect.PERMANENT,
        message("winrm.fault-long-line", "the command line is too long for the node"),
        message(
            "winrm.fault-long-line.remedy",
            "use shorter paths for the project and the interpreter in the inventory",
        ),
        codes=frozenset({206}),
        at=_OPENING,
    ),
    Meaning(
        Effect.PERMANENT,
        message(
            "winrm.fault-option",
            "the service does not accept an option of the request: it is an older WinRM, or another product",
        ),
        _OTHER_SERVICE,
        codes=frozenset({87, 2150858809, 2150858810, 2150858833, 2150858834, 2150858835}),
        names=frozenset({"InvalidParameter", "InvalidOptions"}),
        at=_OPENING,
    ),
    Meaning(
        Effect.PERMANENT,
        message(
            "winrm.fault-header",
            "the service rejected a header of the request: a proxy changed it, or the service is not "
            "Windows' WinRM",
        ),
        _OTHER_SERVICE,
        codes=frozenset({2150858767, 2150858769}),
        names=frozenset({"InvalidMessageInformationHeader", "MessageInformationHeaderRequired"}),
    ),
    Meaning(
        Effect.PERMANENT,
        message(
            "winrm.fault-must-understand",
            "the service does not know a required header: its WinRM is too old, or it is another product",
        ),
        _OTHER_SERVICE,
        codes=frozenset({2150858765, 2150858768, 2150858887}),
        names=frozenset({"MustUnderstand", "VersionMismatch"}),
    ),
    Meaning(
        Effect.PERMANENT,
        message("winrm.fault-no-shells", "the service offers no command shells"),
        _OTHER_SERVICE,
        codes=frozenset({2150858752, 2150858811}),
        names=frozenset({"InvalidResourceURI", "DestinationUnreachable"}),
        at=_OPENING,
    ),
    Meaning(
        Effect.PERMANENT,
        message(
            "winrm.fault-form",
            "the service does not accept the form of the request: it is an older WinRM, or another product",
        ),
        _OTHER_SERVICE,
        codes=frozenset({2150858753, 2150858791, 2150858817, 2150858818, 2150858819}),
        names=frozenset({"ActionNotSupported", "SchemaValidationError", "UnsupportedFeature"}),
    ),
    Meaning(
        Effect.PERMANENT,
        REMOTE_SHELLS,
        REMOTE_SHELLS_REMEDY,
        codes=frozenset({5}),
        names=frozenset({"AccessDenied"}),
        at=_OPENING,
        text=re.compile(r"remote shell", re.IGNORECASE),
    ),
    Meaning(
        Effect.PERMANENT,
        REMOTE_SHELLS,
        REMOTE_SHELLS_REMEDY,
        codes=frozenset({2150859180}),
    ),
    Meaning(
        Effect.PERMANENT,
        message("winrm.fault-remote-access", "the node's WinRM accepts no connections from other machines"),
        message(
            "winrm.fault-remote-access.remedy",
            "run worker_setup.ps1 on the node (or Enable-PSRemoting)",
        ),
        codes=frozenset({2150859229, 2150859235}),
    ),
    Meaning(
        Effect.PERMANENT,
        message("winrm.fault-denied-command", "Windows does not let this account start cmd.exe"),
        message(
            "winrm.fault-denied-command.remedy",
            "check on the node the rules of AppLocker or App Control, and who may read the account's "
            "profile folder",
        ),
        codes=frozenset({5}),
        names=frozenset({"AccessDenied"}),
        at=frozenset({"command"}),
    ),
    Meaning(
        Effect.PERMANENT,
        message("winrm.fault-denied-shell", "WinRM no longer lets this login use its shell"),
        message(
            "winrm.fault-denied-shell.remedy",
            "connect again, and check whether the account's groups were changed",
        ),
        codes=frozenset({5, 2150859177}),
        names=frozenset({"AccessDenied"}),
        at=_STREAMS | {"delete"},
    ),
    Meaning(
        Effect.DENIED,
        codes=frozenset({5}),
        names=frozenset({"AccessDenied"}),
        at=frozenset({"config", "create"}),
    ),
    Meaning(
        Effect.TOO_LARGE,
        codes=frozenset({2150858823, 2150858824, 2150858825}),
        names=frozenset({"EncodingLimit"}),
    ),
    Meaning(
        Effect.ENDED,
        codes=frozenset({995, 2150858842, 2150858843, 2150858904, 2150859082, 2150859084, 2150859085}),
        names=frozenset({"InvalidSelectors"}),
        at=_ALL - {"config"},
    ),
    Meaning(
        Effect.TIMED_OUT,
        codes=frozenset({121, 258, 1460, 2150858793, 2150859228}),
        names=frozenset({"TimedOut"}),
    ),
)

_UNKNOWN_REMEDY = message(
    "winrm.fault-unknown.remedy",
    "look into the node's event log (Applications and Services Logs, Microsoft, Windows, Windows Remote "
    "Management)",
)


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault as the service answered it; ``name`` is the SOAP code, such as Sender, without a prefix."""

    code: int | None
    subcode: str
    name: str
    text: str
    at: Request

    @property
    def meaning(self) -> Meaning:
        """The row of the table, or one without a cause for a fault that the table does not have."""
        code = self.code
        if code is not None and code & 0xFFFF0000 == _WIN32:
            code &= 0xFFFF
        rows = [row for row in TABLE if row.admits(self.at, self.text)]
        for row in rows:
            if code in row.codes:
                return row
        for row in rows:
            if not row.names.isdisjoint((self.subcode, self.name)):
                return row
        # SOAP: the sender's message is wrong, so that the same one fails again.
        effect = Effect.PERMANENT if self.name == "Sender" else Effect.TRANSIENT
        if self.code is None:
            return Meaning(effect, remedy=_UNKNOWN_REMEDY)
        return Meaning(effect, remedy=_code_remedy(self.code))

    def described(self, cause: Message) -> Message:
        """Return the message for the user: the cause, if it is known, and what the service said."""
        label = self.subcode or self.name if self.code is None else str(self.code)
        if not label:
            label = "?"
        if not cause:
            return message(
                "winrm.fault", "WinRM answered with fault {code}: {error}", code=label, error=self.text
            )
        return message(
            "winrm.fault-explained",
            "{cause} (WinRM fault {code}: {error})",
            cause=cause,
            code=label,
            error=self.text,
        )


def _code_remedy(code: int) -> Message:
    return message(
        "winrm.fault-unknown-code.remedy",
        "run winrm helpmsg {code} on the node, and look into its event log (Applications and Services Logs, "
        "Microsoft, Windows, Windows Remote Management)",
        code=hex(code),
    )


@dataclass(frozen=True, slots=True)
class StatusMeaning:
    """What an HTTP status without a fault means."""

    effect: Effect
    what: Message
    remedy: Message


def http_status(status: int, at: Request) -> StatusMeaning:
    """Return the meaning of an HTTP status of 400 or more.

    While a shell is used, each one is transient, because the same service had opened the shell before.
    """
    if status == 400 and at not in _STREAMS:
        return StatusMeaning(
            Effect.PERMANENT,
            message("winrm.http-400", "the node's HTTP service cannot read the request (HTTP status 400)"),
            message(
                "winrm.http-400.remedy",
                "check that no proxy changes the requests. With auth kerberos, an account in many groups can "
                "have a ticket that is too long (MaxFieldLength and MaxRequestBytes of HTTP.sys); use auth "
                "ntlm",
            ),
        )
    if status == 403 and at not in _STREAMS:
        return StatusMeaning(
            Effect.PERMANENT,
            message("winrm.http-403", "the node forbids the request (HTTP status 403)"),
            message(
                "winrm.http-403.remedy",
                "check that no proxy or other web server answers at this address and port, and that the "
                "node's WinRM listens there (winrm enumerate winrm/config/listener)",
            ),
        )
    if 400 <= status < 500 and status not in (408, 429) and at not in _STREAMS:
        return StatusMeaning(
            Effect.PERMANENT,
            message(
                "winrm.http-other",
                "no WinRM answers at this address and port (HTTP status {status})",
                status=status,
            ),
            message(
                "winrm.listener.remedy",
                "check the port with `winrm enumerate winrm/config/listener` on the node",
            ),
        )
    return StatusMeaning(
        Effect.TRANSIENT,
        message("winrm.http-status", "the node answered with HTTP status {status}", status=status),
        message(
            "winrm.http-status.remedy",
            "check the node's WinRM service (Get-Service WinRM): it or the machine may be restarting",
        ),
    )
