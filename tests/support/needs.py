"""What a test needs from the machine besides Python packages.

Where it is missing, the test is skipped on a user's machine, and the reason says how to install it. In CI and
in `make full` it fails instead: there, nothing may pass because it was not run. CI requires what
`.ci/run` installs or demands, and `make full` requires everything.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from tests.support.powershell import POWERSHELL_REMEDY, find_powershell
from tests.support.pythons import OLDEST, VERSIONS, find, remedy


def _root() -> bool:
    return hasattr(os, "geteuid") and os.geteuid() == 0


def _program(*places: str) -> Callable[[], bool]:
    return lambda: any(shutil.which(place) or Path(place).exists() for place in places)


def needed_pwsh() -> str:
    """Return PowerShell 7; the test is skipped or fails without it, as in :func:`need`."""
    need("pwsh")
    return str(find_powershell())


def _python(version: str) -> bool:
    return find(version) is not None


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
    "pwsh": (lambda: find_powershell() is not None, POWERSHELL_REMEDY),
    "fish": (_program("fish"), "apt-get install fish"),
    "tcsh": (_program("tcsh"), "apt-get install tcsh"),
    **{f"python{version}": (partial(_python, version), remedy(version)) for version in VERSIONS},
    "posix": (lambda: os.name == "posix", "run the tests on Linux"),
}
#: What `make full` requires and `.ci/run` does not.
_NOT_IN_CI = {f"python{version}" for version in VERSIONS if version != OLDEST}
#: A test's marker -> what it needs.
MARKERS = {"wine": ("wine", "mingw"), "namespaces": ("root", "ip", "nft", "iptables")}


def need(*names: str) -> None:
    """Skip the running test when one of ``names`` is missing here, or fail it where it is required."""
    for name in names:
        there, remedy = NEEDS[name]
        if there():
            continue
        reason = f"needs {name}: {remedy}"
        if os.environ.get("DTUI_FULL") or (os.environ.get("CI") and name not in _NOT_IN_CI):
            pytest.fail(reason)
        pytest.skip(reason)


def needed_python(version: str) -> str:
    """Return this version's interpreter; the test is skipped or fails without it, as in :func:`need`."""
    need(f"python{version}")
    found = find(version)
    assert found is not None
    return found
