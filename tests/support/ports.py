"""Ports whose number is needed before a program listens on them, such as that of a rendezvous.

Asking the system for a free one is a race: what it gave, it may give to another worker's connection a moment
later. These lie below the ones that the system gives, and each worker of pytest has its own.
"""

from __future__ import annotations

import itertools
import os
import re
import socket

_FIRST, _EACH, _WORKERS = 20_000, 500, 16
_worker = int((re.findall(r"\d+", os.environ.get("PYTEST_XDIST_WORKER", "")) or ["0"])[0]) % _WORKERS
# Beginning at another place keeps two runs of the tests on one machine apart.
_ports = itertools.cycle(_FIRST + _worker * _EACH + (os.getpid() + number) % _EACH for number in range(_EACH))


def free_port() -> int:
    """Return a port on which no program listens, on any address of this machine."""
    for port in itertools.islice(_ports, _EACH):
        with socket.socket() as probe:
            try:
                probe.bind(("", port))
            except OSError:
                continue
            return port
    raise AssertionError(f"all of this worker's {_EACH} ports are in use")
