"""Can a port be listened on here, and if not, who holds it."""

from __future__ import annotations

import os
import re
import socket
import subprocess
from contextlib import suppress
from typing import List, Optional, Tuple

from agent.wire.preflight import PortHolder
from agent.wire.reasons import system_reason

WINDOWS = os.name == "nt"
_LISTEN = "0A"


def try_to_listen(address: str, port: int) -> Optional[str]:
    """Return None when the port can be listened on, else ``in-use``, ``forbidden`` or the system's words.

    ``address`` may be empty for all addresses, as torch's store listens.
    """
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as channel:
        if WINDOWS:
            # Without it Windows lets two programs listen on one port.
            channel.setsockopt(socket.SOL_SOCKET, ~socket.SO_REUSEADDR, 1)
        else:
            channel.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            channel.bind((address, port))
            channel.listen(1)
        except OSError as error:
            return reason(error)
    return None


def reason(error: OSError) -> str:
    """Return why a port can't be listened on, in a word where there is one."""
    number = getattr(error, "winerror", None) or error.errno
    if number in (98, 48, 10048):
        return "in-use"
    if number in (13, 1, 10013):
        return "forbidden"
    if number in (99, 49, 10049):
        return "not-ours"
    return system_reason(error)


def excluded_ranges() -> List[Tuple[int, int]]:
    """Return the port ranges that Windows reserves (for Hyper-V, for example); none on other systems."""
    return parse_excluded(_netsh("int", "ipv4", "show", "excludedportrange", "protocol=tcp"))


def _netsh(*words: str) -> str:
    if not WINDOWS:
        return ""
    try:
        said = subprocess.run(
            ["netsh", *words],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=10,
            creationflags=0x08000000,
        ).stdout
    except (OSError, subprocess.SubprocessError):
        return ""
    return said.decode("ascii", "replace")


def parse_excluded(text: str) -> List[Tuple[int, int]]:
    """Return the ranges of ``netsh int ipv4 show excludedportrange``, whatever the language."""
    rows = re.findall(r"^\s*([0-9]+)\s+([0-9]+)\s*\*?\s*$", text, re.MULTILINE)
    return [(int(first), int(last)) for first, last in rows]


def holder(port: int) -> Optional[PortHolder]:
    """Return ``{"pid", "name", "address"}`` of who listens on the port; parts may be None."""
    if WINDOWS:
        return _holder_by_netstat(port)
    return _holder_by_proc(port)  # finds nothing without /proc


def parse_tcp_table(text: str, port: int) -> Optional[Tuple[str, str]]:
    """Return the local address (hex) and inode of who listens, from ``/proc/net/tcp`` or ``tcp6``."""
    for line in text.splitlines()[1:]:
        fields = line.split()
        if len(fields) > 9 and fields[3] == _LISTEN:
            address, _, number = fields[1].rpartition(":")
            if int(number, 16) == port:
                return address, fields[9]
    return None


def _holder_by_proc(port: int) -> Optional[PortHolder]:
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        with suppress(OSError), open(table, encoding="ascii") as file:
            found = parse_tcp_table(file.read(), port)
            if found:
                pid = _owner_of(found[1])
                return {"pid": pid, "name": _name_of(pid), "address": found[0]}
    return None


def _owner_of(inode: str) -> Optional[int]:
    wanted = "socket:[%s]" % inode
    for entry in os.listdir("/proc"):
        if not entry.isdigit():
            continue
        with suppress(OSError):  # another user's, or ended by now
            folder = "/proc/%s/fd" % entry
            for name in os.listdir(folder):
                if os.readlink(os.path.join(folder, name)) == wanted:
                    return int(entry)
    return None


def _name_of(pid: Optional[int]) -> Optional[str]:
    if pid is None:
        return None
    try:
        with open("/proc/%d/comm" % pid, encoding="utf-8", errors="replace") as file:
            return file.read().strip()
    except OSError:
        return None


def parse_netstat(text: str, port: int) -> Optional[int]:
    """Return the pid of who listens, from Windows' ``netstat -ano -p TCP`` in any language.

    The state's name is translated; a listener is the one whose other end has port 0.
    """
    for line in text.splitlines():
        fields = line.split()
        listens = len(fields) >= 5 and fields[0] == "TCP" and fields[2].endswith(":0")
        if listens and fields[1].rpartition(":")[2] == str(port) and fields[-1].isdigit():
            return int(fields[-1])
    return None


def _holder_by_netstat(port: int) -> Optional[PortHolder]:
    from agent.processes import snapshot

    try:
        said = subprocess.run(
            ["netstat", "-ano", "-p", "TCP"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=10,
            creationflags=0x08000000,
        ).stdout
    except (OSError, subprocess.SubprocessError):
        return None
    pid = parse_netstat(said.decode("ascii", "replace"), port)
    if pid is None:
        return None
    name = next((one.name for one in snapshot() if one.identity.pid == pid), None)
    return {"pid": pid, "name": name, "address": None}
