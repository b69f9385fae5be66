"""A loopback node that is reached by SSH."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any, Protocol

import asyncssh

from lab.home import NodeHome
from lab.login_shell import LoginShell
from lab.node import LabNode
from lab.ssh_session import SshSession

_KEY_KIND = "ssh-ed25519"


class Session(Protocol):
    """Serves one exec request."""

    async def run(self) -> None:
        """Serve it to its end."""

    def end(self) -> None:
        """End the command with its children."""


class SshNode(LabNode):
    """An SSH server on its own address.

    ``identity`` is the private key file that may log in, as well as the password. Setting ``refuse_logins``
    makes the server reject every login; ``forwarding`` lets it be a jump host. ``login_shell`` runs the
    commands, the system's usual shell without one; ``software`` is the server's name in its banner.
    """

    kind = "ssh"

    def __init__(self, home: NodeHome, address: str) -> None:
        super().__init__(home, address)
        self.refuse_logins = False
        self.forwarding = True
        self.login_shell: LoginShell | None = None
        self.software = ""
        self.identity = home.root / "id_ed25519"
        #: Connections made since the start, those that did not log in included.
        self.connections_made = 0
        #: The cipher of the data of the last connection, e.g. ``aes128-gcm@openssh.com``.
        self.last_cipher = ""
        self._host_key = asyncssh.generate_private_key(_KEY_KIND)
        self._user_key = asyncssh.generate_private_key(_KEY_KIND)
        self._listener: asyncssh.SSHAcceptor | None = None
        self._connections: set[asyncssh.SSHServerConnection] = set()
        self._sessions: dict[Session, asyncio.Task[None]] = {}

    @property
    def fingerprint(self) -> str:
        """The host key's ``SHA256:...``."""
        return str(self._host_key.get_fingerprint())

    def known_hosts_line(self) -> str:
        """Return the line that makes clients trust the host key, with its line break."""
        key = self._host_key.export_public_key().decode("ascii").strip()
        return f"[{self.address}]:{self.port} {key}\n"

    async def start(self) -> None:
        """Let people log in, on the same address and port as before."""
        self.home.make()
        self._write_identity(self.identity)
        self._listener = await asyncssh.create_server(
            lambda: _LoginServer(self), self.address, self.port, **self._server_options()
        )
        self.port = self._listener.get_port()

    async def stop(self) -> None:
        """Stop the service; sessions end with their processes, detached processes live on."""
        listener, self._listener = self._listener, None
        if listener is not None:
            listener.close()
        self.drop_connections()
        sessions = dict(self._sessions)
        for session in sessions:
            session.end()
        await asyncio.gather(*sessions.values(), return_exceptions=True)
        if listener is not None:
            await listener.wait_closed()

    def drop_connections(self) -> None:
        """Break every connection without a word; new ones are welcome."""
        for connection in list(self._connections):
            connection.abort()

    async def change_host_key(self) -> None:
        """Restart with another host key, like a reinstalled machine."""
        await self.stop()
        self._host_key = asyncssh.generate_private_key(_KEY_KIND)
        await self.start()

    def _write_identity(self, path: Path) -> None:
        path.touch(mode=0o600)
        self._user_key.write_private_key(path)

    def _server_options(self) -> dict[str, Any]:
        return {
            "server_host_keys": [self._host_key],
            "process_factory": self._serve,
            "encoding": None,
            "allow_pty": False,
            "agent_forwarding": False,
            "reuse_address": True,
            "server_version": self.software or (),
        }

    def _session(self, request: asyncssh.SSHServerProcess[bytes]) -> Session:
        return SshSession(request, self.home, self.login_shell)

    async def _serve(self, request: asyncssh.SSHServerProcess[bytes]) -> None:
        session = self._session(request)
        task = asyncio.current_task()
        assert task is not None
        self._sessions[session] = task
        try:
            await session.run()
        finally:
            del self._sessions[session]


class _LoginServer(asyncssh.SSHServer):
    """Checks the login of one connection."""

    def __init__(self, node: SshNode) -> None:
        self._node = node
        self._connection: asyncssh.SSHServerConnection | None = None

    def connection_made(self, conn: asyncssh.SSHServerConnection) -> None:
        self._connection = conn
        self._node._connections.add(conn)
        self._node.connections_made += 1

    def connection_lost(self, exc: Exception | None) -> None:
        assert self._connection is not None
        self._node._connections.discard(self._connection)

    def begin_auth(self, username: str) -> bool:
        assert self._connection is not None
        self._node.last_cipher = str(self._connection.get_extra_info("recv_cipher"))
        return True

    def public_key_auth_supported(self) -> bool:
        return True

    def validate_public_key(self, username: str, key: asyncssh.SSHKey) -> bool:
        return self._welcome(username) and key.public_data == self._node._user_key.public_data

    def password_auth_supported(self) -> bool:
        return True

    def validate_password(self, username: str, password: str) -> bool:
        return self._welcome(username) and password == self._node.password

    def connection_requested(self, dest_host: str, dest_port: int, orig_host: str, orig_port: int) -> bool:
        return self._node.forwarding

    def _welcome(self, user: str) -> bool:
        return user == self._node.user and not self._node.refuse_logins
