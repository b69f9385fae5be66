"""What a test needs from the machine beside Python packages.

Where it is missing the test is skipped on a user's machine, with the way to get it, and fails in CI:
there nothing may pass because it was not run.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest


def _root() -> bool:
    return hasattr(os, "geteuid") and os.geteuid() == 0


def _program(*places: str) -> Callable[[], bool]:
    return lambda: any(shutil.which(place) or Path(place).exists() for place in places)


#: Name -> (is it there, how to get it).
NEEDS: dict[str, tuple[Callable[[], bool], str]] = {
    "root": (_root, "run the tests as root"),
    "sshd": (_program("sshd", "/usr/sbin/sshd"), "apt-get install openssh-server"),
    "winrmcp": (_program("winrmcp"), "apt-get install winrmcp"),
    "wine": (_program("/usr/lib/wine/wine64"), "apt-get install wine wine64"),
    "mingw": (_program("x86_64-w64-mingw32-gcc"), "apt-get install gcc-mingw-w64-x86-64"),
    "g++": (_program("g++"), "apt-get install g++"),
    "ip": (_program("ip", "/usr/sbin/ip"), "apt-get install iproute2"),
    "nft": (_program("nft", "/usr/sbin/nft"), "apt-get install nftables"),
    "iptables": (_program("iptables", "/usr/sbin/iptables"), "apt-get install iptables"),
    "git": (_program("git"), "apt-get install git"),
    "tmux": (_program("tmux"), "apt-get install tmux"),
    "posix": (lambda: os.name == "posix", "run the tests on Linux"),
}
#: A test's marker -> what it needs.
MARKERS = {"wine": ("wine", "mingw"), "namespaces": ("root", "ip", "nft", "iptables")}


def need(*names: str) -> None:
    """Skip the running test when one of ``names`` is missing here; fail it in CI."""
    for name in names:
        there, remedy = NEEDS[name]
        if there():
            continue
        reason = f"needs {name}: {remedy}"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
