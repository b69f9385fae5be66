"""From an endpoint to a logged-in SSH connection, over jump hosts where ``~/.ssh/config`` names them."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from typing import Any

import asyncssh

from transports.base import Endpoint, HostKey, Prompts
from transports.errors import HostKeyChanged, HostKeyUnknown, TransportError
from transports.known_hosts import KnownHosts
from transports.ssh_client import LoginClient
from transports.ssh_keys import Identities, open_identities
from transports.ssh_problems import explain, other_kind_of_host_key

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
    UnicodeError,  # a host name that can't be one
)
_KEEPALIVES_MISSED = 3
#: ``user@host:port`` of ProxyJump, the host in brackets when it is an IPv6 address.
_JUMP = re.compile(
    r"(?:ssh://)?(?:(?P<user>.*)@)?(?:\[(?P<v6>[^]]+)\]|(?P<host>[^:/]+))(?::(?P<port>\d+))?/?"
)


class Login:
    """Opens connections with the person's keys, ssh agent and answers.

    ``config`` is OpenSSH's client configuration, which may be absent; ``reach`` bounds the TCP connection
    and the login, in seconds, without the time that a person takes to answer.
    """

    def __init__(
        self, prompts: Prompts, known: KnownHosts, *, config: Path, reach: float, keepalive: float
    ) -> None:
        self._prompts = prompts
        self._known = known
        self._config = config
        self._reach = reach
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
        """Return the hops to the endpoint as ``ProxyJump`` names them, itself last."""
        jumps: list[Endpoint] = []
        for word in self._proxy_jump(endpoint).split(","):
            if match := _JUMP.fullmatch(word.strip()):
                host, port = match["v6"] or match["host"], match["port"]
                jumps.append(Endpoint(host, int(port) if port else None, match["user"]))
        if not jumps:
            return [endpoint]
        if endpoint.host in above:
            raise self._bad_config(f"the ProxyJump of {endpoint.host} leads back to itself", endpoint)
        first, *rest = jumps
        return [*self._route(first, (*above, endpoint.host)), *rest, endpoint]

    def _proxy_jump(self, endpoint: Endpoint) -> str:
        try:
            options = asyncssh.SSHClientConnectionOptions(
                host=endpoint.host, username="any", client_keys=None, **self._configured()
            )
        except (ValueError, OSError) as error:
            raise self._bad_config(str(error), endpoint) from error
        tunnel = options.tunnel
        return tunnel if isinstance(tunnel, str) and tunnel.lower() != "none" else ""

    def _bad_config(self, problem: str, endpoint: Endpoint) -> TransportError:
        return TransportError(
            f"{self._config} can't be used: {problem}", where=str(endpoint), remedy="correct that file"
        )

    def _configured(self) -> dict[str, Any]:
        return {"config": [str(self._config)] if self._config.exists() else None}

    async def _hop(
        self, endpoint: Endpoint, tunnel: asyncssh.SSHClientConnection | None
    ) -> asyncssh.SSHClientConnection:
        identities = await open_identities(endpoint, self._prompts)
        confirmed = any_kind = False
        while True:
            limit = asyncio.timeout(self._reach)
            client = LoginClient(endpoint, self._prompts, self._known, limit, self._reach)
            try:
                async with limit:
                    return await self._attempt(client, tunnel, identities, any_kind)
            except asyncssh.HostKeyNotVerifiable as error:
                if client.offered is None or confirmed:
                    raise self._changed(client, error.reason) from error
                await self._confirm(client)
                confirmed = True
            except _FAILURES as error:
                if other_kind_of_host_key(error) and not any_kind:
                    any_kind = True  # once more, to see the key that it has now
                    continue
                raise explain(error, client, self._reach) from error

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
            keepalive_interval=self._keepalive,
            keepalive_count_max=_KEEPALIVES_MISSED,
            login_timeout=0,
            **identities.options(),
            **self._configured(),
        )

    async def _confirm(self, client: LoginClient) -> None:
        """Ask whether a new host's key is right, and record it; raises HostKeyUnknown or HostKeyChanged."""
        if self._known.recorded(client.host, client.port):
            raise self._changed(client)
        offered = client.offered
        assert offered is not None
        shown = HostKey(client.host, client.port, offered.get_algorithm(), offered.get_fingerprint())
        if not await self._prompts.trust_host_key(shown):
            raise HostKeyUnknown(
                f"its host key is not known: {_shown(offered)}",
                where=str(client.endpoint),
                remedy="connect once in a terminal (dtui nodes) and compare the fingerprint with the one "
                "that worker_setup.ps1 printed",
            )
        self._known.record(client.host, client.port, offered)

    def _changed(self, client: LoginClient, reason: str = "") -> HostKeyChanged:
        recorded = "; ".join(
            f"{'revoked' if known.revoked else 'recorded'} is {_shown(known.key)} "
            f"in {known.file}, line {known.line}"
            for known in self._known.recorded(client.host, client.port)
        )
        if client.offered is not None:
            reason = f"its host key has changed to {_shown(client.offered)}"
        return HostKeyChanged(
            f"{reason}; {recorded}",
            where=str(client.endpoint),
            remedy="either the machine was set up anew or somebody sits in between. Compare the "
            "fingerprint at the machine; if it is right, remove that line and connect again",
        )


def _shown(key: asyncssh.SSHKey) -> str:
    return f"{key.get_algorithm()} {key.get_fingerprint()}"
