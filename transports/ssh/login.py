"""Opens and authenticates SSH connections, over the jump hosts of ``~/.ssh/config``."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import asyncssh

from agent.wire.message import EMPTY, Message, message
from transports.base import Endpoint, HostKey, Prompts
from transports.errors import HostKeyChanged, HostKeyUnknown, TransportError
from transports.quoting import quoted
from transports.ssh.client import LoginClient
from transports.ssh.client_config import ClientConfig
from transports.ssh.keys import Identities, open_identities
from transports.ssh.known_hosts import KnownHosts, KnownKey
from transports.ssh.problems import explain, other_kind_of_host_key
from transports.ssh.stages import LoginLimits, LoginStages
from transports.system_errors import system_error

#: AES-GCM first: it needs about half the processor time of asyncssh's default.
_CIPHERS = (
    "aes128-gcm@openssh.com",
    "aes256-gcm@openssh.com",
    "chacha20-poly1305@openssh.com",
    "aes256-ctr",
    "aes128-ctr",
)
_FAILURES = (
    asyncssh.Error,
    asyncssh.KeyImportError,
    asyncssh.KeyEncryptionError,
    OSError,
    UnicodeError,  # an invalid host name
)
_KEEPALIVES_MISSED = 3
#: ``user@host:port`` of ProxyJump, the host in brackets when it is an IPv6 address.
_JUMP = re.compile(
    r"(?:ssh://)?(?:(?P<user>.*)@)?(?:\[(?P<v6>[^]]+)\]|(?P<host>[^:/]+))(?::(?P<port>\d+))?/?"
)


#: Entries of the configuration in an error.
_IGNORED_SHOWN = 5


class Login:
    """Opens connections with the user's keys, ssh agent and answers.

    ``config`` is OpenSSH's client configuration, which may be absent. ``waiting`` gets what a slow login
    waits for.
    """

    def __init__(
        self,
        prompts: Prompts,
        known: KnownHosts,
        *,
        config: Path,
        limits: LoginLimits,
        keepalive: float,
        waiting: Callable[[Message], None],
    ) -> None:
        self._prompts = prompts
        self._known = known
        self._config = ClientConfig(config)
        self._limits = limits
        self._waiting = waiting
        self._keepalive = keepalive

    async def open(self, endpoint: Endpoint) -> list[asyncssh.SSHClientConnection]:
        """Return the connections to the jump hosts, if any, and last the one to the node itself.

        Raises TransportError, with every connection closed again.
        """
        connections: list[asyncssh.SSHClientConnection] = []
        try:
            for hop in self._route(endpoint, ()):
                tunnel = connections[-1] if connections else None
                connections.append(await self._hop(hop, tunnel))
        except BaseException:
            for connection in reversed(connections):
                connection.abort()
            raise
        return connections

    def _route(self, endpoint: Endpoint, above: tuple[str, ...]) -> list[Endpoint]:
        """Return the jump hosts of ``ProxyJump`` and, last, the endpoint."""
        jumps: list[Endpoint] = []
        for word in self._proxy_jump(endpoint).split(","):
            if match := _JUMP.fullmatch(word.strip()):
                host, port = match["v6"] or match["host"], match["port"]
                jumps.append(Endpoint(host, int(port) if port else None, match["user"]))
        if not jumps:
            return [endpoint]
        if endpoint.host in above:
            problem = message(
                "ssh.jump-loop", "the ProxyJump of {host} leads back to itself", host=endpoint.host
            )
            raise self._bad_config(problem, endpoint)
        first, *rest = jumps
        return [*self._route(first, (*above, endpoint.host)), *rest, endpoint]

    def _proxy_jump(self, endpoint: Endpoint) -> str:
        read: list[asyncssh.SSHClientConnectionOptions] = []

        def attempt() -> None:
            read.append(
                asyncssh.SSHClientConnectionOptions(
                    host=endpoint.host, username="any", client_keys=None, **self._configured()
                )
            )

        try:
            self._config.read_by(attempt)
        except (ValueError, OSError) as error:
            problem = system_error(error) if isinstance(error, OSError) else Message(quoted(str(error)))
            raise self._bad_config(problem, endpoint) from error
        tunnel = read[-1].tunnel
        return tunnel if isinstance(tunnel, str) and tunnel.lower() != "none" else ""

    def _bad_config(self, problem: Message, endpoint: Endpoint) -> TransportError:
        file = str(self._config.path)
        return TransportError(
            message("ssh.config", "{file} cannot be used: {error}", file=file, error=problem),
            where=str(endpoint),
            remedy=message("ssh.config.remedy", "fix the error in {file}", file=file),
        )

    def _configured(self) -> dict[str, Any]:
        return {"config": self._config.files()}

    async def _hop(
        self, endpoint: Endpoint, tunnel: asyncssh.SSHClientConnection | None
    ) -> asyncssh.SSHClientConnection:
        self._known.check()
        identities = await open_identities(endpoint, self._prompts)
        confirmed = any_kind = False
        while True:
            stages = LoginStages(self._limits, self._waiting)
            client = LoginClient(endpoint, self._prompts, self._known, stages)
            try:
                async with stages.timeout:
                    stages.start()
                    return await self._attempt(client, tunnel, identities, any_kind)
            except asyncssh.HostKeyNotVerifiable as error:
                if client.offered is None or confirmed:
                    raise self._changed(client, Message(quoted(error.reason))) from error
                await self._confirm(client)
                confirmed = True
            except _FAILURES as error:
                if other_kind_of_host_key(error) and not any_kind:
                    any_kind = True  # retry, to get the key that the host has now
                    continue
                raise self._with_ignored(explain(error, client)) from error
            finally:
                stages.stop()

    def _with_ignored(self, error: TransportError) -> TransportError:
        """Add the entries of the configuration that were left out, since one may be the cause."""
        if self._config.ignored:
            error.remedy = message(
                "ssh.config-ignored",
                "{remedy}. dtui left these lines out: {lines:; }",
                remedy=error.remedy,
                lines=[quoted(line) for line in self._config.ignored[:_IGNORED_SHOWN]],
            )
        return error

    async def _attempt(
        self,
        client: LoginClient,
        tunnel: asyncssh.SSHClientConnection | None,
        identities: Identities,
        any_kind: bool,
    ) -> asyncssh.SSHClientConnection:
        endpoint = client.endpoint
        return await asyncssh.connect(
            endpoint.host,
            endpoint.port or (),
            tunnel=tunnel or None,
            username=endpoint.user or (),
            client_factory=lambda: client,
            known_hosts=client.trusted_keys,
            passphrase=client.passphrase,
            server_host_key_algs="default" if any_kind else (),
            encryption_algs=_CIPHERS,
            # A compressed packet of 256 KiB can unpack to 256 MiB, and asyncssh sets no limit.
            compression_algs=None,
            keepalive_interval=self._keepalive,
            keepalive_count_max=_KEEPALIVES_MISSED,
            login_timeout=0,
            **identities.options(),
            **self._configured(),
        )

    async def _confirm(self, client: LoginClient) -> None:
        """Ask the user to confirm a new host key, and record it; raises HostKeyUnknown or HostKeyChanged."""
        if self._known.recorded(client.host, client.port):
            raise self._changed(client)
        offered = client.offered
        assert offered is not None
        algorithm = Message(offered.get_algorithm())
        shown = HostKey(client.host, client.port, algorithm, offered.get_fingerprint())
        if not await self._prompts.trust_host_key(shown):
            raise HostKeyUnknown(
                message("ssh.host-key-unknown", "the host key is not known: {key}", key=_shown(offered)),
                where=str(client.endpoint),
                remedy=message(
                    "ssh.host-key-unknown.remedy",
                    "run `dtui nodes` in a terminal and compare the fingerprint with the node's own "
                    "(worker_setup.ps1 prints it; `ssh-keygen -lf` shows it for a key file in /etc/ssh)",
                ),
            )
        self._known.record(client.host, client.port, offered)

    def _changed(self, client: LoginClient, rejected: Message = EMPTY) -> HostKeyChanged:
        """Return the error for a key that differs from the recorded ones, or that asyncssh ``rejected``."""
        what = rejected
        if client.offered is not None:
            key = _shown(client.offered)
            what = message("ssh.host-key-changed", "the host key has changed to {key}", key=key)
        recorded = [_place(known) for known in self._known.recorded(client.host, client.port)]
        if recorded:
            what = message(
                "ssh.host-key-recorded",
                "{problem}; recorded: {recorded:; }",
                problem=what,
                recorded=recorded,
            )
        return HostKeyChanged(
            what,
            where=str(client.endpoint),
            remedy=message(
                "ssh.host-key-changed.remedy",
                "the machine was reinstalled, or this is a man-in-the-middle attack. Compare the "
                "fingerprint on the machine; if it is correct, remove that line and connect again",
            ),
        )


def _place(known: KnownKey) -> Message:
    key, file = _shown(known.key), str(known.file)
    if known.revoked:
        return message(
            "ssh.key-revoked", "{key} is revoked ({file}, line {line})", key=key, file=file, line=known.line
        )
    return message("ssh.key-recorded", "{key} ({file}, line {line})", key=key, file=file, line=known.line)


def _shown(key: asyncssh.SSHKey) -> str:
    return f"{key.get_algorithm()} {key.get_fingerprint()}"
