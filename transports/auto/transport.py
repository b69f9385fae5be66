"""Connects by the first working method of several transports."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from agent.wire.message import EMPTY, Message, message
from transports.base import Channel, Endpoint, HostKey, NoPrompts, Prompts, Transport
from transports.errors import (
    AuthenticationFailed,
    CertificateRejected,
    HostKeyChanged,
    HostKeyUnknown,
    TransportError,
    Unreachable,
    Unresolved,
)
from transports.kind import AutoMethod, TransportKind
from transports.login_shell import LoginShell
from transports.questions import is_passphrase


@dataclass(frozen=True, slots=True)
class MethodFailure:
    """Why a connection method failed; ``method`` is its name."""

    method: str
    error: TransportError

    @property
    def reason(self) -> Message:
        """The method and what failed."""
        return message(
            "transport.failed", "over {transport}: {why}", transport=self.method, why=self.error.what
        )


class AutoTransport(Transport):
    """Uses the first connection method that works, and keeps using it.

    ``kinds`` have the methods, and ``reach`` bounds the first contact of each in seconds. ``chosen`` is
    the name of the working method, and ``failures`` are the errors of those before it. All methods use the
    endpoint's port if it has one.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        prompts: Prompts | None = None,
        *,
        kinds: Sequence[TransportKind],
        known_hosts: Path,
        reach: float = 4.0,
    ) -> None:
        super().__init__(endpoint, prompts or NoPrompts())
        self._kinds = tuple(kinds)
        self.chosen = ""
        self.failures: tuple[MethodFailure, ...] = ()
        self._known_hosts = known_hosts
        self._reach = reach
        self._transport: Transport | None = None
        self._lock = asyncio.Lock()

    @property
    def method(self) -> Message:
        """The method that works, with the errors of those before it."""
        if not self.chosen:
            return EMPTY
        if not self.failures:
            return Message(self.chosen)
        return message(
            "transport.chosen",
            "{transport}; other methods failed ({failures:; })",
            transport=self.chosen,
            failures=[failure.reason for failure in self.failures],
        )

    async def connect(self) -> None:
        """Find a method and log in; raises TransportError with the errors of all methods."""
        async with self._lock:
            if self._transport is None:
                self._transport = await self._choose()
            else:
                await self._transport.connect()

    async def open(self, argv: Sequence[str]) -> Channel:
        """Start ``argv`` over the method that works; raises TransportError."""
        await self.connect()
        assert self._transport is not None
        return await self._transport.open(argv)

    @property
    def loses_quotes(self) -> bool:
        """Whether the method that works may lose double quotes."""
        return self._transport is not None and self._transport.loses_quotes

    async def open_by_powershell(self, argv: Sequence[str]) -> Channel:
        """Start ``argv`` over the method that works; raises TransportError."""
        await self.connect()
        assert self._transport is not None
        return await self._transport.open_by_powershell(argv)

    async def login_shell(self) -> LoginShell | None:
        """Return the shell behind the method that works."""
        return await self._transport.login_shell() if self._transport is not None else None

    async def close(self) -> None:
        """Log out."""
        transport, self._transport = self._transport, None
        if transport is not None:
            await transport.close()

    async def _choose(self) -> Transport:
        prompts = _CachedPassword(self.prompts)
        failures: list[MethodFailure] = []
        for method, endpoint in self._methods():
            if (forbidden := method.forbids(endpoint, self._known_hosts)) is not None:
                failures.append(MethodFailure(method.name, forbidden))
                continue
            transport = method.create(endpoint, prompts, self._known_hosts, self._reach)
            transport.waiting = lambda what: self.waiting(what)
            try:
                await transport.connect()
            except TransportError as error:
                await transport.close()
                failures.append(MethodFailure(method.name, error))
                self.failures = tuple(failures)
                if isinstance(error, (HostKeyChanged, HostKeyUnknown)) or (
                    isinstance(error, CertificateRejected) and error.shown
                ):
                    # Another machine may answer in the node's place. Any other method would reach the same
                    # machine, and plain http would not even notice.
                    raise
                if isinstance(error, Unresolved):
                    break  # every other method resolves the same name
                if isinstance(error, AuthenticationFailed) and prompts.gave_password:
                    # Every method uses the same account, and Windows locks it after a few failures.
                    break
            except BaseException:
                await transport.close()
                raise
            else:
                self.chosen, self.failures = method.name, tuple(failures)
                return transport
        raise self._error_of(failures)

    def _methods(self) -> list[tuple[AutoMethod, Endpoint]]:
        """Return the methods that the endpoint admits, each with its transport's part of the options."""
        methods = []
        for kind in self._kinds:
            known = {option.name for option in kind.options}
            options = tuple((name, value) for name, value in self.endpoint.options if name in known)
            endpoint = replace(self.endpoint, options=options)
            methods += [(method, endpoint) for method in kind.auto if method.admits(endpoint)]
        return sorted(methods, key=lambda pair: pair[0].order)

    def _error_of(self, failures: list[MethodFailure]) -> TransportError:
        decisive = max(failures, key=lambda failure: not isinstance(failure.error, Unreachable)).error
        kind = type(decisive) if isinstance(decisive, AuthenticationFailed) else TransportError
        if all(failure.error.transient for failure in failures):
            kind = Unreachable
        return kind(
            message(
                "transport.none-works",
                "all connection methods failed ({failures:; })",
                failures=[failure.reason for failure in failures],
            ),
            where=str(self.endpoint),
            remedy=decisive.remedy,
        )


class _CachedPassword:
    """Asks the user once for all methods, which log in to the same account."""

    def __init__(self, prompts: Prompts) -> None:
        self._prompts = prompts
        self._asked = False
        self._answer: str | None = None

    @property
    def gave_password(self) -> bool:
        return self._answer is not None

    async def password(self, endpoint: Endpoint, reason: Message) -> str | None:
        if is_passphrase(reason):
            return await self._prompts.password(endpoint, reason)
        if not self._asked:
            self._answer = await self._prompts.password(endpoint, reason)
            self._asked = True
        return self._answer

    async def trust_host_key(self, key: HostKey) -> bool:
        return await self._prompts.trust_host_key(key)
