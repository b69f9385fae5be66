"""A loopback node that is reached by WinRM over HTTP, with NTLM."""

from __future__ import annotations

import asyncio

from lab.home import NodeHome
from lab.node import LabNode
from lab.winrm import Accounts, Spawn, WinRMServer, posix_shell


class WinRMNode(LabNode):
    """A WinRM service on its own address, with a user and a password, without keys."""

    kind = "winrm"

    def __init__(self, home: NodeHome, address: str, spawn: Spawn | None = None) -> None:
        super().__init__(home, address)
        self.server = WinRMServer(
            Accounts({self.user: self.password}),
            spawn or posix_shell(home.folder, home.environment()),
            host=address,
        )

    async def start(self) -> None:
        """Let people log in, on the same address and port as before."""
        self.home.make()
        self.server.start()
        self.port = self.server.port

    async def stop(self) -> None:
        """Stop the service; shells end with their processes, detached processes live on."""
        await asyncio.to_thread(self.server.stop)

    def drop_connections(self) -> None:
        """Break every connection; shells live on, and new connections are welcome."""
        self.server.cut_connections()
