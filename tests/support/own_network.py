"""A private loopback: fixed ports of one test cannot collide with those of another worker's.

The thread that runs the test moves into a fresh network namespace, and all that it starts (servers on its
event loop, executor threads, child processes) lives there with it.
"""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.needs import need

_NEW_NETWORK = 0x40000000  # CLONE_NEWNET
_HERE = Path("/proc/thread-self/ns/net")


@contextmanager
def own_network() -> Iterator[None]:
    """Run the body on a loopback of its own.

    Only root can; on anybody else's machine the body runs where it is, beside whatever runs there. In CI it
    fails then.
    """
    if os.environ.get("CI"):
        need("root", "ip")
    elif sys.platform != "linux" or os.geteuid() != 0:
        yield
        return
    libc = ctypes.CDLL(None, use_errno=True)
    with _HERE.open("rb") as before:
        _check(libc.unshare(_NEW_NETWORK))
        try:
            subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
            yield
        finally:
            _check(libc.setns(before.fileno(), _NEW_NETWORK))


def _check(result: int) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
