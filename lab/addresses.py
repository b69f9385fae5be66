"""Loopback addresses of a lab's own, so that several labs can run on one machine."""

from __future__ import annotations

import secrets
import socket

from lab.errors import LabError

#: Whoever holds this UDP port of 127.0.x.1 has the block 127.0.x; nothing is ever sent to it.
_CLAIM_PORT = 47_022
_BLOCKS = range(2, 255)
_FIRST_NODE = 11


class AddressBlock:
    """The addresses 127.0.x.1 to 127.0.x.254 for an x that no other lab has, until ``release``."""

    def __init__(self) -> None:
        start = secrets.choice(_BLOCKS)
        for step in range(len(_BLOCKS)):
            number = _BLOCKS[(start + step) % len(_BLOCKS)]
            claim = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            try:
                claim.bind((f"127.0.{number}.1", _CLAIM_PORT))
            except OSError:
                claim.close()
                continue
            self._claim, self._number = claim, number
            return
        raise LabError("this system has no loopback addresses 127.0.x.y to give: use Linux or Windows")

    @property
    def master(self) -> str:
        """The address by which nodes reach the master."""
        return f"127.0.{self._number}.1"

    def node(self, index: int) -> str:
        """Return the address of node ``index``, counted from 0."""
        return f"127.0.{self._number}.{_FIRST_NODE + index}"

    def release(self) -> None:
        """Let other labs have the block."""
        self._claim.close()
