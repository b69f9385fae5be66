"""A login on a node's WinRM service."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from winrm.exceptions import WinRMOperationTimeoutError
from winrm.protocol import Protocol

from transports.base import Channel, Endpoint, NoPrompts, Prompts, Transport, command_line
from transports.errors import (
    AuthenticationFailed,
    CertificateRejected,
    CommandNotStarted,
    Refused,
    TransportError,
    Unreachable,
)
from transports.winrm.channel import EndedChannel, RelayChannel
from transports.winrm.direct import DirectChannel
from transports.winrm.line import Patience
from transports.winrm.login import Login, choose_auth, first_call, offered_schemes
from transports.winrm.options import Options, read_options
from transports.winrm.pins import Pins, shown_certificate
from transports.winrm.problems import sort_out
from transports.winrm.pulse import Pulse
from transports.winrm.quotas import NodeQuotas, quotas_request, read_quotas
from transports.winrm.reliable.frames import KEY_SIZE
from transports.winrm.reliable.source import ARGUMENTS
from transports.winrm.session import Session
from transports.winrm.shell import Shell
from transports.winrm.words import interpreter

T = TypeVar("T")

_ATTEMPTS = 3
_ENABLE = "run worker_setup.ps1 on the node (or Enable-PSRemoting), and check its firewall"


class WinRMTransport(Transport):
    """Opens channels in WinRM shells.

    ``reach`` bounds the first contact in seconds. ``quotas`` is what the node told at login.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        prompts: Prompts | None = None,
        known_hosts: Path | None = None,
        *,
        patience: Patience | None = None,
        reach: float = 8.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(endpoint, prompts or NoPrompts())
        self._pins = Pins(known_hosts)
        self.quotas = NodeQuotas()
        self._patience = patience or Patience()
        self._reach = reach
        self._clock = clock
        self._login: Login | None = None
        self._rejected: set[str] = set()
        self._channels: set[Channel] = set()
        self._connecting = asyncio.Lock()
        # pywinrm blocks; these threads are for logins and for opening shells.
        self._workers = ThreadPoolExecutor(4, "winrm")

    async def connect(self) -> None:
        """Reach the node, log in and read its quotas; raises TransportError."""
        async with self._connecting:
            if self._login is None:
                self._login = await self._log_in()

    async def open(self, argv: Sequence[str]) -> Channel:
        """Start ``argv``; a Python program gets the reliable relay, others the bare streams."""
        await self.connect()
        assert self._login is not None
        words = interpreter(argv) or ((self._login.options.python,) if self._login.options.python else ())
        channel = await (self._open_relayed(words, argv) if words else self._open_direct(argv))
        self._channels.add(channel)
        return channel

    async def close(self) -> None:
        """Close the channels, each with its shell."""
        channels, self._channels = self._channels, set()
        await asyncio.gather(*(channel.close() for channel in channels), return_exceptions=True)
        self._login = None
        self._workers.shutdown(wait=False)
        self._workers = ThreadPoolExecutor(4, "winrm")

    async def _log_in(self) -> Login:
        where = str(self.endpoint)
        options = read_options(self.endpoint)
        user = self.endpoint.user or ""
        if not user and options.auth != "kerberos":
            raise AuthenticationFailed(
                "no user name is given", where=where, remedy="set the node's `user` in the inventory"
            )
        await self._touch(options.port, where)
        url = options.url(self.endpoint.host)
        options, offered = await self._meet(url, options, where)
        auth = choose_auth(offered, options, where)
        password = None if auth == "kerberos" else await self._password(where)
        login = Login(url, where, options, auth, user, password)
        try:
            self.quotas = await self._work(lambda: self._ask_quotas(login))
        except AuthenticationFailed:
            if password is not None:
                self._rejected.add(password)
            raise
        return login

    async def _meet(self, url: str, options: Options, where: str) -> tuple[Options, tuple[str, ...]]:
        """Return the schemes on offer, and options with the pin of a certificate that a person trusts."""
        host, port = self.endpoint.host, options.port
        asks = options.scheme == "https" and not options.ca and not options.fingerprint
        pinned = self._pins.find(host, port) if asks else ""
        if pinned:
            options = replace(options, fingerprint=pinned)
        try:
            return options, await self._work(lambda: offered_schemes(url, options, where, self._reach))
        except CertificateRejected as error:
            if pinned or not asks or not error.confirmable:
                raise
            shown = await self._work(lambda: shown_certificate(host, port, self._reach, where))
            if not await self.prompts.trust_host_key(shown):
                raise
            self._pins.record(shown)
        trusted = replace(options, fingerprint=shown.fingerprint.removeprefix("SHA256:"))
        return trusted, await self._work(lambda: offered_schemes(url, trusted, where, self._reach))

    async def _touch(self, port: int, where: str) -> None:
        try:
            async with asyncio.timeout(self._reach):
                _, writer = await asyncio.open_connection(self.endpoint.host, port)
        except TimeoutError:
            raise Unreachable(
                f"no answer from port {port} within {self._reach:.0f} s",
                where=where,
                remedy=f"check the address and that the node is on; {_ENABLE}",
            ) from None
        except ConnectionRefusedError:
            raise Refused(f"nothing listens on port {port}", where=where, remedy=_ENABLE) from None
        except OSError as error:
            raise Unreachable(
                f"the address can't be reached ({error.strerror or error})",
                where=where,
                remedy="check the node's name or address, and the network",
            ) from error
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()

    async def _password(self, where: str) -> str:
        reason = "the node rejected the last password" if self._rejected else "password (WinRM)"
        password = await self.prompts.password(self.endpoint, reason)
        if password is None:
            raise AuthenticationFailed(
                "no password was given, or one that the node had rejected before",
                where=where,
                remedy=f"store the right one (keyring set dtui {self.endpoint}), or start dtui in a terminal "
                "and type it",
            )
        if not password:
            raise AuthenticationFailed(
                "the password is blank",
                where=where,
                remedy="give the account a password: Windows lets nobody log in over the network without one",
            )
        if password in self._rejected:
            raise AuthenticationFailed(
                "the node has rejected this password before, so it was not tried again",
                where=where,
                remedy="Windows locks an account after a few failures; correct the stored password first",
            )
        return password

    def _ask_quotas(self, login: Login) -> NodeQuotas:
        protocol = login.protocol(int(self._reach), int(self._reach) + 2)
        try:
            return read_quotas(first_call(protocol, login, quotas_request(protocol)))
        except AuthenticationFailed:
            raise
        except WinRMOperationTimeoutError:
            return NodeQuotas()
        except Exception as error:
            problem = sort_out(error, login.where)
            if isinstance(problem, AuthenticationFailed):
                # Logged in; the config is for administrators only. Opening a shell will tell.
                return NodeQuotas()
            raise problem from error
        finally:
            protocol.transport.close_session()

    async def _open_relayed(self, words: Sequence[str], argv: Sequence[str]) -> Channel:
        line = command_line([*words, *ARGUMENTS])
        for attempt in range(_ATTEMPTS):
            try:
                return await self._start_relay(line, argv)
            except TransportError as error:
                # Until the process runs nothing is known of a request whose answer was lost: begin anew.
                if not error.transient or attempt == _ATTEMPTS - 1:
                    raise
            await asyncio.sleep(self._patience.pause * 2**attempt)
        raise AssertionError

    async def _start_relay(self, line: str, argv: Sequence[str]) -> Channel:
        pulse = Pulse(asyncio.get_running_loop())
        key = os.urandom(KEY_SIZE)
        session = await self._work(lambda: Session(self._shell(line), key, argv, pulse.beat))
        where = str(self.endpoint)
        told = session.peer.told
        try:
            await pulse.until(lambda: session.started or session.over or "failed" in told or None)
        except BaseException:
            session.close()
            raise
        if session.started:
            return RelayChannel(session, pulse, where)
        session.close()
        if "failed" in told:
            raise CommandNotStarted(
                f"{argv[0]} could not be started ({told['failed']})",
                where=where,
                remedy="check the interpreter's path in the inventory",
            )
        if session.failure is not None:
            raise session.failure
        return EndedChannel(bytes(session.noise), bytes(session.errors), session.status)

    async def _open_direct(self, argv: Sequence[str]) -> Channel:
        line = command_line(argv)
        pulse = Pulse(asyncio.get_running_loop())
        shell = await self._work(lambda: self._shell(line))
        return DirectChannel(shell, pulse)

    def _shell(self, line: str) -> Shell:
        login = self._login
        assert login is not None

        def connect() -> Protocol:
            return login.protocol(self._patience.operation, self._patience.answer)

        return Shell(
            connect,
            line,
            where=login.where,
            patience=self._patience,
            clock=self._clock,
            send_size=self.quotas.send_size,
        )

    async def _work(self, job: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._workers, job)
