"""Processes on Linux through /proc, on other POSIX systems through ``ps``."""

from __future__ import annotations

import functools
import os
import signal
import subprocess
import sys
from contextlib import suppress
from typing import List, Optional, Tuple

from agent.processes.identity import Identity, Process, Usage

assert sys.platform != "win32"

_LINUX = sys.platform.startswith("linux")


def start_time(pid: int) -> Optional[str]:
    """Return the start time of a living process, None when there is none."""
    found = _read_stat(pid) if _LINUX else next(iter(_ps("-p", str(pid))), None)
    return found.identity.start_time if found else None


def snapshot() -> List[Process]:
    """Return every living process that we may see."""
    if not _LINUX:
        return _ps("-ax")
    found = (_read_stat(int(name)) for name in os.listdir("/proc") if name.isdigit())
    return [process for process in found if process]


def end_one(identity: Identity, force: bool) -> None:
    """Ask the process to end, or with ``force`` end it; it may have ended already, or be another user's."""
    if start_time(identity.pid) != identity.start_time:
        return
    with suppress(ProcessLookupError, PermissionError):
        os.kill(identity.pid, signal.SIGKILL if force else signal.SIGTERM)


def carries(pid: int, mark: str) -> bool:
    """Return whether the process was started with ``mark`` (``NAME=value``) in its environment.

    Always False on systems other than Linux, which do not report it.
    """
    return os.fsencode(mark) in _variables(pid)


def marked(mark: str) -> List[Tuple[Process, Optional[str]]]:
    """Return the living processes that carry ``mark``, each with the rank that its environment names.

    Always empty on systems other than Linux.
    """
    if not _LINUX:
        return []
    wanted = os.fsencode(mark)
    found: List[Tuple[Process, Optional[str]]] = []
    for process in snapshot():
        variables = _variables(process.identity.pid)
        if wanted in variables and process.identity.pid != os.getpid():
            ranks = [one[5:].decode("ascii", "replace") for one in variables if one.startswith(b"RANK=")]
            found.append((process, ranks[0] if ranks else None))
    return found


def _variables(pid: int) -> List[bytes]:
    try:
        with open("/proc/%d/environ" % pid, "rb") as file:
            return file.read().split(b"\0")
    except OSError:
        return []


def usage(pid: int) -> Optional[Usage]:
    """Return what a living process has used; None where the system does not report it."""
    try:
        with open("/proc/%d/stat" % pid, "rb") as file:
            fields = file.read().rpartition(b")")[2].split()
        ticks = int(fields[11]) + int(fields[12])
    except (OSError, ValueError, IndexError):
        return None
    transferred = 0
    with suppress(OSError, ValueError), open("/proc/%d/io" % pid, "rb") as file:
        # rchar and wchar include what comes from the page cache or a network file system.
        for line in file:
            if line.startswith((b"rchar:", b"wchar:")):
                transferred += int(line.split()[1])
    return Usage(ticks / os.sysconf("SC_CLK_TCK"), transferred)


@functools.cache
def _boot() -> str:
    # Start times count from the boot, so the boot belongs to them.
    try:
        with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
            return file.read(8)
    except OSError:
        return "boot"


def _read_stat(pid: int) -> Optional[Process]:
    try:
        with open("/proc/%d/stat" % pid, "rb") as file:
            text = file.read()
    except OSError:
        return None
    # The name is in parentheses and may contain any character, parentheses included.
    head, _, rest = text.rpartition(b")")
    fields = rest.split()
    if len(fields) < 20 or fields[0] in (b"Z", b"X"):
        return None
    started = "%s-%d" % (_boot(), int(fields[19]))
    name = head.partition(b"(")[2].decode("utf-8", "replace")
    return Process(Identity(pid, started), int(fields[1]), int(fields[3]), name)


def _ps(*which: str) -> List[Process]:
    columns = "pid=,ppid=,pgid=,stat=,lstart=,comm="
    environment = {**os.environ, "LC_ALL": "C", "TZ": "UTC"}
    listing = subprocess.run(
        ["ps", *which, "-o", columns], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment
    )
    parsed = (_parse(line.split(None, 9)) for line in listing.stdout.decode("utf-8", "replace").splitlines())
    return [process for process in parsed if process]


def _parse(fields: List[str]) -> Optional[Process]:
    if len(fields) < 9 or fields[3].startswith("Z"):
        return None
    pid, parent, group = _numbers(fields)
    # `ps` has no session everywhere; a rank leads its group as well as its session.
    return Process(Identity(pid, " ".join(fields[4:9])), parent, group, fields[9] if len(fields) > 9 else "")


def _numbers(fields: List[str]) -> Tuple[int, int, int]:
    return int(fields[0]), int(fields[1]), int(fields[2])
