"""``transport: auto``: SSH, then WinRM over HTTPS, then WinRM over HTTP with NTLM."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from transports.base import Channel, Endpoint, HostKey, NoPrompts, Prompts, Transport
from transports.errors import (
    AuthenticationFailed,
    HostKeyChanged,
    HostKeyUnknown,
    TransportError,
    Unreachable,
    Unresolved,
)

_WINRM_PORTS = {"https": 5986, "http": 5985}


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a way to the node did not work; ``way`` is ssh, winrm (https) or winrm (http)."""

    way: str
    error: TransportError


class AutoTransport(Transport):
    """Takes the first way to the node that works and stays with it.

    ``reach`` bounds the first contact of each way in seconds. ``chosen`` names the one that works, and
    ``refusals`` says why those before it did not. A port that the endpoint names is tried in all ways.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        prompts: Prompts | None = None,
        *,
        known_hosts: Path,
        reach: float = 4.0,
    ) -> None:
        super().__init__(endpoint, prompts or NoPrompts())
        self.chosen = ""
        self.refusals: tuple[Refusal, ...] = ()
        self._known_hosts = known_hosts
        self._reach = reach
        self._transport: Transport | None = None
        self._turn = asyncio.Lock()

    @property
    def way(self) -> str:
        """The way that works, with the reasons of those before it."""
        reasons = [f"{refusal.way}: {refusal.error.what}" for refusal in self.refusals]
        return "; ".join((self.chosen, *reasons)) if self.chosen else ""

    async def connect(self) -> None:
        """Find the way and log in; raises TransportError with the reasons of all ways."""
        async with self._turn:
            if self._transport is None:
                self._transport = await self._choose()
            else:
                await self._transport.connect()

    async def open(self, argv: Sequence[str]) -> Channel:
        """Start ``argv`` by the way that works; raises TransportError."""
        await self.connect()
        assert self._transport is not None
        return await self._transport.open(argv)

    async def close(self) -> None:
        """Log out."""
        transport, self._transport = self._transport, None
        if transport is not None:
            await transport.close()

    async def _choose(self) -> Transport:
        prompts = _AskedOnce(self.prompts)
        refusals: list[Refusal] = []
        for way, make in self._ways(prompts):
            transport = make()
            try:
                await transport.connect()
            except TransportError as error:
                await transport.close()
                refusals.append(Refusal(way, error))
                self.refusals = tuple(refusals)
                if isinstance(error, (HostKeyChanged, HostKeyUnknown)):
                    # Somebody may be in between: another door of the same address is no safer.
                    raise
                if isinstance(error, Unresolved):
                    break  # every other way begins with the same name
                if isinstance(error, AuthenticationFailed) and prompts.gave_password:
                    # The same account behind every door, and Windows locks it after a few failures.
                    break
            except BaseException:
                await transport.close()
                raise
            else:
                self.chosen, self.refusals = way, tuple(refusals)
                return transport
        raise self._verdict(refusals)

    def _ways(self, prompts: Prompts) -> list[tuple[str, Callable[[], Transport]]]:
        # Imported here: asyncssh and pywinrm take a third of a second each.
        def ssh() -> Transport:
            from transports.ssh import SshTransport

            plain = replace(self.endpoint, options=())
            return SshTransport(plain, prompts, known_hosts=self._known_hosts, reach=self._reach)

        def winrm(scheme: str) -> Transport:
            from transports.winrm import WinRMTransport

            options = {**dict(self.endpoint.options), "scheme": scheme}
            if scheme == "http":
                options = {"scheme": scheme, "auth": "ntlm", "python": options.get("python", "")}
            endpoint = replace(
                self.endpoint,
                port=self.endpoint.port or _WINRM_PORTS[scheme],
                options=tuple(options.items()),
            )
            return WinRMTransport(endpoint, prompts, known_hosts=self._known_hosts, reach=self._reach)

        ways: list[tuple[str, Callable[[], Transport]]] = [
            ("ssh", ssh),
            ("winrm (https)", lambda: winrm("https")),
            ("winrm (http)", lambda: winrm("http")),
        ]
        wanted = dict(self.endpoint.options).get("scheme")
        return [way for way in ways if not wanted or way[0] != f"winrm ({_other(wanted)})"]

    def _verdict(self, refusals: list[Refusal]) -> TransportError:
        reasons = "; ".join(f"{refusal.way}: {refusal.error.what}" for refusal in refusals)
        telling = max(refusals, key=lambda refusal: not isinstance(refusal.error, Unreachable)).error
        kind = type(telling) if isinstance(telling, AuthenticationFailed) else TransportError
        if all(refusal.error.transient for refusal in refusals):
            kind = Unreachable
        return kind(f"no way to the node works ({reasons})", where=str(self.endpoint), remedy=telling.remedy)


class _AskedOnce:
    """Asks the person once for all ways: the password is the account's, not the transport's."""

    def __init__(self, prompts: Prompts) -> None:
        self._prompts = prompts
        self._asked = False
        self._answer: str | None = None

    @property
    def gave_password(self) -> bool:
        return self._answer is not None

    async def password(self, endpoint: Endpoint, reason: str) -> str | None:
        if reason.startswith("passphrase"):  # of a key, which is another secret
            return await self._prompts.password(endpoint, reason)
        if not self._asked:
            self._answer = await self._prompts.password(endpoint, reason)
            self._asked = True
        return self._answer

    async def trust_host_key(self, key: HostKey) -> bool:
        return await self._prompts.trust_host_key(key)


def _other(scheme: str) -> str:
    return "http" if scheme == "https" else "https"
