"""The port at which a lab's runs meet: labs, demos and other runs of one machine share its ports."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterable

from fleet.inventory.model import DEFAULT_PORT
from lab.errors import LabError

#: Outside the ports that preflight briefly listens on: other labs run preflights on this machine too.
_CANDIDATES = range(DEFAULT_PORT + 5, DEFAULT_PORT + 105)


class RendezvousPort:
    """A TCP port that is free on all addresses, and that no other lab takes, until ``release``.

    The first of ``candidates`` that can be had; raises LabError when there is none.
    """

    def __init__(self, candidates: Iterable[int] = _CANDIDATES) -> None:
        for number in candidates:
            # The process that holds the UDP port of the same number owns it; nothing is ever sent to it.
            claim = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            try:
                claim.bind(("127.0.0.1", number))
                _try_to_listen(number)
            except OSError:
                claim.close()
                continue
            self._claim, self.number = claim, number
            return
        raise LabError("no port for the rendezvous is free on this machine: end what listens from 29505 on")

    def release(self) -> None:
        """Let other labs have the port."""
        self._claim.close()


def _try_to_listen(port: int) -> None:
    """Briefly listen on all addresses, as torch's store does; raises OSError."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as channel:
        # Windows lets two programs listen on one port unless asked not to; elsewhere a port that was just
        # in use counts as free.
        option = ~socket.SO_REUSEADDR if os.name == "nt" else socket.SO_REUSEADDR
        channel.setsockopt(socket.SOL_SOCKET, option, 1)
        channel.bind(("", port))
        channel.listen(1)
