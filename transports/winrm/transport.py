"""A login on a node's WinRM service."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from winrm.exceptions import WinRMOperationTimeoutError, WSManFaultError
from winrm.protocol import Protocol

from agent.wire.message import message
from transports.base import Channel, Endpoint, NoPrompts, Prompts, Transport
from transports.command_line import UnsafeWord, command_line
from transports.command_problems import unsafe_command
from transports.errors import (
    AuthenticationFailed,
    CertificateRejected,
    CommandNotStarted,
    Refused,
    ServiceRefused,
    TransportError,
    Unreachable,
)
from transports.questions import PASSWORD_REJECTED, PASSWORD_WINRM
from transports.quoting import quoted
from transports.system_errors import system_error
from transports.winrm.channel import EndedChannel, RelayChannel
from transports.winrm.connection import Timeouts
from transports.winrm.direct import DirectChannel
from transports.winrm.faults import REMOTE_SHELLS, REMOTE_SHELLS_REMEDY
from transports.winrm.interpreter import interpreter_words
from transports.winrm.login import Login, choose_auth, first_call, offered_schemes
from transports.winrm.loop_condition import LoopCondition
from transports.winrm.options import Options, read_options
from transports.winrm.pins import Pins, fetch_certificate
from transports.winrm.problems import AccessDenied, classify_error
from transports.winrm.quotas import NodeQuotas, quotas_request, read_quotas
from transports.winrm.reliable.frames import KEY_SIZE
from transports.winrm.reliable.source import ARGUMENTS
from transports.winrm.session import Session
from transports.winrm.shell import Shell

T = TypeVar("T")

_ATTEMPTS = 3
#: Seconds to wait for the deletion of a shell when the transport closes.
_DELETING = 15.0
_ENABLE = message(
    "winrm.enable.remedy", "run worker_setup.ps1 on the node (or Enable-PSRemoting), and check its firewall"
)


class WinRMTransport(Transport):
    """Opens channels in WinRM shells.

    ``reach`` bounds the first contact in seconds. ``quotas`` are those that the node reported at login.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        prompts: Prompts | None = None,
        known_hosts: Path | None = None,
        *,
        timeouts: Timeouts | None = None,
        reach: float = 8.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(endpoint, prompts or NoPrompts())
        self._pins = Pins(known_hosts)
        self.quotas = NodeQuotas()
        self._timeouts = timeouts or Timeouts()
        self._reach = reach
        self._clock = clock
        self._login: Login | None = None
        self._rejected: set[str] = set()
        self._channels: set[Channel] = set()
        #: Sessions whose shells are still being deleted, without a channel. Worker threads add to it.
        self._ending: set[Session] = set()
        self._connecting = asyncio.Lock()
        # pywinrm blocks; these threads are for logins and for opening shells.
        self._workers = ThreadPoolExecutor(4, "winrm")

    async def connect(self) -> None:
        """Reach the node, log in and read its quotas; raises TransportError."""
        async with self._connecting:
            if self._login is None:
                self._login = await self._log_in()

    async def open(self, argv: Sequence[str]) -> Channel:
        """Start ``argv``: a Python program behind the relay, others with the plain streams."""
        await self.connect()
        assert self._login is not None
        words = interpreter_words(argv) or (
            (self._login.options.python,) if self._login.options.python else ()
        )
        try:
            channel = await (self._open_relayed(words, argv) if words else self._open_direct(argv))
        except UnsafeWord as error:
            raise unsafe_command(error, str(self.endpoint)) from error
        self._channels.add(channel)
        return channel

    async def close(self) -> None:
        """Close the channels, each with its shell."""
        channels, self._channels = self._channels, set()
        ending, self._ending = self._ending, set()
        await asyncio.gather(
            *(channel.close() for channel in channels),
            *(asyncio.to_thread(session.closed.wait, _DELETING) for session in ending),
            return_exceptions=True,
        )
        self._login = None
        self._workers.shutdown(wait=False)
        self._workers = ThreadPoolExecutor(4, "winrm")

    async def _log_in(self) -> Login:
        where = str(self.endpoint)
        options = read_options(self.endpoint)
        user = self.endpoint.user or ""
        if not user and options.auth != "kerberos":
            raise AuthenticationFailed(
                message("winrm.no-user", "the user name is missing"),
                where=where,
                remedy=message("winrm.no-user.remedy", "set the node's `user` in the inventory"),
            )
        await self._check_port(options.port, where)
        url = options.url(self.endpoint.host)
        options, offered = await self._negotiate(url, options, where)
        auth = choose_auth(offered, options, where)
        password = None if auth == "kerberos" else await self._password(where)
        login = Login(url, where, options, auth, user, password)
        try:
            self.quotas = await self._in_thread(lambda: self._request_quotas(login))
        except AuthenticationFailed:
            if password is not None:
                self._rejected.add(password)
            raise
        return login

    async def _negotiate(self, url: str, options: Options, where: str) -> tuple[Options, tuple[str, ...]]:
        """Return the options, with the fingerprint of a trusted certificate, and the offered schemes."""
        host, port = self.endpoint.host, options.port
        pinnable = options.scheme == "https" and not options.ca and not options.fingerprint
        pinned = self._pins.find(host, port) if pinnable else ""
        if pinned:
            options = replace(options, fingerprint=pinned)
        try:
            return options, await self._in_thread(lambda: offered_schemes(url, options, where, self._reach))
        except CertificateRejected as error:
            if pinned or not pinnable or not error.confirmable:
                raise
            shown = await self._in_thread(lambda: fetch_certificate(host, port, self._reach, where))
            if not await self.prompts.trust_host_key(shown):
                raise
            self._pins.record(shown)
        trusted = replace(options, fingerprint=shown.fingerprint.removeprefix("SHA256:"))
        return trusted, await self._in_thread(lambda: offered_schemes(url, trusted, where, self._reach))

    async def _check_port(self, port: int, where: str) -> None:
        try:
            async with asyncio.timeout(self._reach):
                _, writer = await asyncio.open_connection(self.endpoint.host, port)
        except TimeoutError:
            raise Unreachable(
                message(
                    "winrm.no-answer",
                    "no answer from port {port} within {seconds:.0f} s",
                    port=port,
                    seconds=self._reach,
                ),
                where=where,
                remedy=message(
                    "winrm.no-answer.remedy",
                    "check the address and that the node is on; {enable}",
                    enable=_ENABLE,
                ),
            ) from None
        except ConnectionRefusedError:
            what = message("winrm.refused", "no program listens on port {port}", port=port)
            raise Refused(what, where=where, remedy=_ENABLE) from None
        except OSError as error:
            raise Unreachable(
                message(
                    "winrm.unreachable",
                    "the address cannot be reached ({error})",
                    error=system_error(error),
                ),
                where=where,
                remedy=message(
                    "winrm.unreachable.remedy", "check the node's name or address, and the network"
                ),
            ) from error
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()

    async def _password(self, where: str) -> str:
        reason = PASSWORD_REJECTED if self._rejected else PASSWORD_WINRM
        password = await self.prompts.password(self.endpoint, reason)
        if password is None:
            raise AuthenticationFailed(
                message(
                    "winrm.no-password", "no password was given, or one that the node has already rejected"
                ),
                where=where,
                remedy=message(
                    "winrm.no-password.remedy",
                    "store the right password (keyring set dtui {endpoint}), or run dtui in a terminal and "
                    "type it",
                    endpoint=where,
                ),
            )
        if not password:
            raise AuthenticationFailed(
                message("winrm.blank-password", "the password is empty"),
                where=where,
                remedy=message(
                    "winrm.blank-password.remedy",
                    "set a password for the account: Windows accepts no network login without one",
                ),
            )
        if password in self._rejected:
            raise AuthenticationFailed(
                message(
                    "winrm.password-rejected",
                    "the node has already rejected this password, so it was not tried again",
                ),
                where=where,
                remedy=message(
                    "winrm.password-rejected.remedy",
                    "correct the stored password: Windows locks an account after a few failures",
                ),
            )
        return password

    def _request_quotas(self, login: Login) -> NodeQuotas:
        protocol = login.protocol(int(self._reach), int(self._reach) + 2)
        try:
            return read_quotas(first_call(protocol, login, quotas_request(protocol)))
        except AuthenticationFailed:
            raise
        except Exception as error:
            problem = classify_error(error, login.where)
            if isinstance(problem, (AuthenticationFailed, WinRMOperationTimeoutError)) or isinstance(
                error, WSManFaultError
            ):
                # The login succeeded, but only administrators may read the config. Opening a shell shows why.
                return NodeQuotas()
            if not isinstance(problem, TransportError):
                what = message(
                    "winrm.no-configuration",
                    "WinRM does not answer a request for its configuration ({error})",
                    error=problem.what,
                )
                problem = TransportError(what, where=login.where, remedy=_ENABLE)
            raise problem from error
        finally:
            protocol.transport.close_session()

    async def _open_relayed(self, words: Sequence[str], argv: Sequence[str]) -> Channel:
        line = command_line([*words, *ARGUMENTS])
        started_by = asyncio.get_running_loop().time() + self._timeouts.opening
        for attempt in range(_ATTEMPTS):
            try:
                async with asyncio.timeout_at(started_by):
                    return await self._start_relay(line, argv)
            except TimeoutError:
                raise self._not_started() from None
            except TransportError as error:
                # The process is not running yet. A lost answer has unknown effects, so start a new shell.
                if not error.transient or attempt == _ATTEMPTS - 1:
                    raise
            await asyncio.sleep(self._timeouts.pause * 2**attempt)
        raise AssertionError

    async def _start_relay(self, line: str, argv: Sequence[str]) -> Channel:
        condition = LoopCondition(asyncio.get_running_loop())
        key = os.urandom(KEY_SIZE)
        session = await self._in_thread(
            lambda: Session(self._shell(line), key, argv, condition.notify), self._end
        )
        where = str(self.endpoint)
        state = session.peer.remote_state
        try:
            await condition.wait_for(lambda: session.started or session.ended or "failed" in state or None)
        except BaseException:
            self._end(session)
            raise
        if session.started:
            return RelayChannel(session, condition, where)
        self._end(session)
        if "failed" in state:
            raise CommandNotStarted(
                message(
                    "winrm.not-started",
                    "{program} could not be started ({error})",
                    program=argv[0],
                    error=quoted(state["failed"]),
                ),
                where=where,
                remedy=message("winrm.not-started.remedy", "check the interpreter's path in the inventory"),
            )
        if session.failure is not None:
            raise session.failure
        return EndedChannel(bytes(session.unframed), bytes(session.errors), session.status)

    def _end(self, session: Session) -> None:
        session.close()
        self._ending.add(session)
        for other in list(self._ending):
            if other.closed.is_set():
                self._ending.discard(other)

    async def _open_direct(self, argv: Sequence[str]) -> Channel:
        line = command_line(argv)
        condition = LoopCondition(asyncio.get_running_loop())
        try:
            async with asyncio.timeout(self._timeouts.opening):
                shell = await self._in_thread(lambda: self._shell(line), lambda late: late.close())
        except TimeoutError:
            raise self._not_started() from None
        return DirectChannel(shell, condition)

    def _not_started(self) -> TransportError:
        return Unreachable(
            message(
                "winrm.start-late",
                "the process did not start within {seconds:.0f} s",
                seconds=self._timeouts.opening,
            ),
            where=str(self.endpoint),
            remedy=message(
                "winrm.start-late.remedy",
                "check that the node is not overloaded and its WinRM service runs (Get-Service WinRM)",
            ),
        )

    def _shell(self, line: str) -> Shell:
        login = self._login
        assert login is not None

        def connect() -> Protocol:
            return login.protocol(self._timeouts.operation, self._timeouts.answer)

        try:
            return Shell(
                connect,
                line,
                where=login.where,
                timeouts=self._timeouts,
                clock=self._clock,
                send_size=self.quotas.send_size,
            )
        except AccessDenied as error:
            raise self._denied(error) from error

    def _denied(self, error: AccessDenied) -> TransportError:
        """Return the error for an account that must not open a shell, by what the node's config says."""
        if self.quotas.allow_remote_shells is False:
            return ServiceRefused(
                REMOTE_SHELLS, where=error.where, remedy=REMOTE_SHELLS_REMEDY, transient=False
            )
        if self.quotas.reported:
            return ServiceRefused(
                message("winrm.shell-denied", "the node denies this administrator a WinRM shell"),
                where=error.where,
                remedy=message(
                    "winrm.shell-denied.remedy",
                    "check who may use WinRM in the node's PowerShell: (Get-Item "
                    "WSMan:\\localhost\\Service\\RootSDDL).Value",
                ),
                transient=False,
            )
        return error

    async def _in_thread(self, job: Callable[[], T], discard: Callable[[T], None] = lambda result: None) -> T:
        """Run ``job`` in a thread. After a cancellation, the thread passes the result to ``discard``."""
        future = self._workers.submit(job)
        try:
            return await asyncio.wrap_future(future)
        except asyncio.CancelledError:

            def finished(late: Future[T]) -> None:
                if not late.cancelled() and late.exception() is None:
                    discard(late.result())

            future.add_done_callback(finished)
            raise
