"""What all kinds of loopback nodes have in common."""

from __future__ import annotations

import abc
import secrets

from lab.ending import sweep
from lab.home import NodeHome


class LabNode(abc.ABC):
    """One pretended machine: an address, a login service, a home folder.

    ``port`` is the system's choice at the first start, and stays.
    """

    #: The transport that reaches it: ``ssh`` or ``winrm``.
    kind: str
    #: The interpreter on this node, when it is not the lab's.
    python: str | None = None

    def __init__(self, home: NodeHome, address: str) -> None:
        self.home = home
        self.name = home.node
        self.address = address
        self.port = 0
        self.user = home.user
        #: Made for this lab alone; nothing stores it.
        self.password = secrets.token_urlsafe(12)

    @abc.abstractmethod
    async def start(self) -> None:
        """Let people log in, on the same address and port as before."""

    @abc.abstractmethod
    async def stop(self) -> None:
        """Stop the service: sessions end with their processes, detached processes live on."""

    @abc.abstractmethod
    def drop_connections(self) -> None:
        """Break every connection without a word, as a lost network does; new ones are welcome."""

    async def power_off(self) -> None:
        """Stop, and end every process of the node, as a power cut does."""
        await self.stop()
        await sweep(self.home.mark, self.home.root)
