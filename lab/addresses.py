"""Loopback addresses of a lab's own, so that several labs can run on one machine."""

from __future__ import annotations

import secrets
import socket

from lab.errors import LabError

#: The process that holds this UDP port of 127.0.x.1 owns the block 127.0.x; nothing is ever sent to it.
_CLAIM_PORT = 47_022
_BLOCKS = range(2, 255)
_FIRST_NODE = 11


class AddressBlock:
    """The addresses 127.0.x.1 to 127.0.x.254 for an x that no other lab has, until ``release``.

    A ``number`` selects that x; raises LabError if no block is free.
    """

    def __init__(self, number: int | None = None) -> None:
        start = secrets.choice(_BLOCKS)
        wanted = [*_BLOCKS[start:], *_BLOCKS[:start]] if number is None else [number]
        for candidate in wanted:
            claim = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            try:
                claim.bind((f"127.0.{candidate}.1", _CLAIM_PORT))
            except OSError:
                claim.close()
                continue
            self._claim, self.number = claim, candidate
            return
        raise LabError("no loopback addresses 127.0.x.y are to be had; a lab needs Linux or Windows")

    @property
    def master(self) -> str:
        """The address by which nodes reach the master."""
        return f"127.0.{self.number}.1"

    def node(self, index: int) -> str:
        """Return the address of node ``index``, counted from 0."""
        return f"127.0.{self.number}.{_FIRST_NODE + index}"

    def release(self) -> None:
        """Let other labs have the block."""
        self._claim.close()
