"""From an endpoint to a logged-in SSH connection, over jump hosts where ``~/.ssh/config`` names them."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any

import asyncssh

from transports.base import Endpoint, HostKey, Prompts
from transports.errors import AuthenticationFailed, HostKeyChanged, HostKeyUnknown, TransportError
from transports.known_hosts import KnownHosts
from transports.ssh_problems import explain

#: AES-GCM first: it needs about half the processor time of asyncssh's default.
_CIPHERS = (
    "aes128-gcm@openssh.com",
    "aes256-gcm@openssh.com",
    "chacha20-poly1305@openssh.com",
    "aes256-ctr",
    "aes128-ctr",
)
_KEEPALIVE_SECONDS = 15


class Login:
    """Opens connections with the person's keys, ssh agent and answers.

    ``config`` is OpenSSH's client configuration, which may be absent; ``reach`` bounds the TCP connection
    and the key exchange, in seconds.
    """

    def __init__(self, prompts: Prompts, known: KnownHosts, *, config: Path, reach: float) -> None:
        self._prompts = prompts
        self._known = known
        self._config = config
        self._reach = reach

    async def open(self, endpoint: Endpoint) -> list[asyncssh.SSHClientConnection]:
        """Return the connections to the jump hosts, if any, and last the one to the node itself.

        Raises TransportError, with every connection closed again.
        """
        connections: list[asyncssh.SSHClientConnection] = []
        try:
            for hop in (*self._jumps(endpoint), endpoint):
                tunnel = connections[-1] if connections else None
                connections.append(await self._hop(hop, tunnel))
        except BaseException:
            for connection in reversed(connections):
                connection.abort()
            raise
        return connections

    def _jumps(self, endpoint: Endpoint) -> list[Endpoint]:
        """Return what ``ProxyJump`` names, first hop first."""
        try:
            options = asyncssh.SSHClientConnectionOptions(
                host=endpoint.host, username="jump", **self._configured()
            )
        except asyncssh.ConfigParseError as error:
            raise TransportError(
                f"{self._config} can't be read: {error}", where=str(endpoint), remedy="correct that file"
            ) from error
        jumps = options.tunnel if isinstance(options.tunnel, str) else ""
        hops = []
        for word in filter(None, jumps.split(",")):
            user, _, place = word.rpartition("@")
            host, _, port = place.partition(":")
            hops.append(Endpoint(host, int(port) if port else None, user or None))
        return hops

    def _configured(self) -> dict[str, Any]:
        return {"config": [str(self._config)] if self._config.exists() else None}

    async def _hop(
        self, endpoint: Endpoint, tunnel: asyncssh.SSHClientConnection | None
    ) -> asyncssh.SSHClientConnection:
        keys = [await self._identity(path, endpoint) for path in endpoint.identities]
        for confirmed in (False, True):
            client = _Client(endpoint, self._prompts, self._known)
            arguments: dict[str, Any] = {"port": endpoint.port or (), "username": endpoint.user or ()}
            if keys:
                arguments["client_keys"] = keys
            try:
                async with asyncio.timeout(None) as deadline:
                    client.deadline = deadline
                    client.push_deadline(self._reach)
                    return await asyncssh.connect(
                        endpoint.host,
                        tunnel=tunnel or (),
                        client_factory=lambda client=client: client,
                        known_hosts=client.trusted_keys,
                        encryption_algs=_CIPHERS,
                        keepalive_interval=_KEEPALIVE_SECONDS,
                        keepalive_count_max=3,
                        login_timeout=0,
                        **arguments,
                        **self._configured(),
                    )
            except asyncssh.HostKeyNotVerifiable as error:
                if client.offered is None:
                    raise explain(error, endpoint, client.answered, self._reach) from error
                if confirmed:
                    raise self._changed(client) from error
                await self._confirm(client)
            except (asyncssh.Error, OSError, TimeoutError) as error:
                raise explain(error, endpoint, client.answered, self._reach) from error
        raise AssertionError("a confirmed host key is accepted or refused above")

    async def _identity(self, path: Path, endpoint: Endpoint) -> asyncssh.SSHKey:
        """Read a private key file, asking for its passphrase when it has one."""
        try:
            try:
                return asyncssh.read_private_key(path)
            except asyncssh.KeyImportError as error:
                if "assphrase" not in str(error):
                    raise
                passphrase = await self._prompts.password(endpoint, f"passphrase of {path}")
                if passphrase is None:
                    raise AuthenticationFailed(
                        f"the key {path} has a passphrase and nobody typed it",
                        where=str(endpoint),
                        remedy="load it into the ssh agent (ssh-add), or run dtui in a terminal",
                    ) from error
                return asyncssh.read_private_key(path, passphrase)
        except (asyncssh.KeyImportError, asyncssh.KeyEncryptionError) as error:
            raise AuthenticationFailed(
                f"the key {path} can't be read: {error}", where=str(endpoint), remedy="check the passphrase"
            ) from error
        except OSError as error:
            raise AuthenticationFailed(
                f"the key {path} can't be read: {error.strerror}",
                where=str(endpoint),
                remedy="correct the node's `identity`",
            ) from error

    async def _confirm(self, client: _Client) -> None:
        """Ask whether a new host's key is right, and record it; raises HostKeyUnknown or HostKeyChanged."""
        if self._known.keys(client.host, client.port):
            raise self._changed(client)
        offered = client.offered
        assert offered is not None
        shown = HostKey(client.host, client.port, offered.get_algorithm(), offered.get_fingerprint())
        if not await self._prompts.trust_host_key(shown):
            raise HostKeyUnknown(
                f"its host key is not known: {shown.algorithm} {shown.fingerprint}",
                where=str(client.endpoint),
                remedy="connect once in a terminal (dtui nodes) and compare the fingerprint with the one "
                "that worker_setup.ps1 printed",
            )
        self._known.record(client.host, client.port, offered)

    def _changed(self, client: _Client) -> HostKeyChanged:
        offered = client.offered
        assert offered is not None
        recorded = "; ".join(
            f"{known.key.get_fingerprint()} in {known.file}, line {known.line}"
            for known in self._known.keys(client.host, client.port)
        )
        return HostKeyChanged(
            f"its host key has changed to {offered.get_algorithm()} {offered.get_fingerprint()}; "
            f"recorded is {recorded}",
            where=str(client.endpoint),
            remedy="either the machine was set up anew or somebody sits in between. Compare the "
            "fingerprint at the machine; if it is right, remove that line and connect again",
        )


class _Client(asyncssh.SSHClient):
    """What asyncssh asks while it logs in. A password is asked for once and kept by nobody."""

    def __init__(self, endpoint: Endpoint, prompts: Prompts, known: KnownHosts) -> None:
        self.endpoint = endpoint
        self.host, self.port = endpoint.host, endpoint.port or 22
        #: The key that the host showed, when it is none of the trusted ones.
        self.offered: asyncssh.SSHKey | None = None
        #: Whether a password was asked for, and whether somebody gave one.
        self.asked = False
        self.answered = False
        self.deadline: asyncio.Timeout | None = None
        self._seconds = 0.0
        self._prompts = prompts
        self._known = known

    def trusted_keys(self, host: str, address: str, port: int | None) -> tuple[Any, Any, Any]:
        """Return the known keys of the host that the configuration made of the endpoint."""
        self.host, self.port = host, port or 22
        return self._known.trusted(self.host, self.port), [], []

    def push_deadline(self, seconds: float) -> None:
        """Let the connection take so many seconds from now on."""
        self._seconds = seconds
        if self.deadline is not None:
            self.deadline.reschedule(asyncio.get_running_loop().time() + seconds)

    def validate_host_public_key(self, host: str, addr: str, port: int, key: asyncssh.SSHKey) -> bool:
        """Note the key that is not known, and refuse it for now."""
        self.offered = key
        return False

    async def password_auth_requested(self) -> str | None:
        """Ask the person, once."""
        return await self._ask()

    def kbdint_auth_requested(self) -> str | None:
        """Take part, unless the password was given already."""
        return None if self.asked else ""

    async def kbdint_challenge_received(
        self, name: str, instructions: str, lang: str, prompts: list[tuple[str, bool]]
    ) -> list[str] | None:
        """Answer the one question that is a password."""
        if not prompts:
            return []
        if len(prompts) != 1:
            return None
        password = await self._ask()
        return None if password is None else [password]

    async def _ask(self) -> str | None:
        if self.asked:
            return None  # a second try with the same answer could lock the account
        self.asked = True
        assert self.deadline is not None
        self.deadline.reschedule(None)  # a person may take their time
        try:
            password = await self._prompts.password(replace(self.endpoint, port=self.port), "password")
            self.answered = password is not None
            return password
        finally:
            self.push_deadline(self._seconds)
