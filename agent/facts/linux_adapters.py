"""Network adapters of a Linux machine: addresses by netlink, the rest from /sys/class/net."""

from __future__ import annotations

import os
import socket
import struct
from typing import Dict, Iterator, List, Tuple

from agent.facts.files import read_number, read_text
from agent.facts.routes import Adapter

Address = Tuple[str, str]

_GETADDR, _NEWADDR, _DONE, _ERROR = 22, 20, 3, 2
_REQUEST_DUMP = 0x0001 | 0x0300
_ADDRESS, _LOCAL = 1, 2
_HEADER = struct.Struct("=IHHII")
_IFADDR = struct.Struct("=BBBBI")
_ATTRIBUTE = struct.Struct("=HH")


def adapters(root: str = "/") -> List[Adapter]:
    """Return every adapter with ``interfaces`` as ``address/prefix``, in the kernel's order."""
    listed = sorted(_names(root), key=lambda item: item[1])
    addresses: Dict[int, List[str]] = {}
    for index, interface in parse_addresses(_dump()):
        addresses.setdefault(index, []).append(interface)
    return [_adapter(root, name, index, addresses.get(index, [])) for name, index in listed]


def _names(root: str) -> Iterator[Tuple[str, int]]:
    folder = os.path.join(root, "sys/class/net")
    try:
        names = os.listdir(folder)
    except OSError:
        names = []
    for name in names:
        index = read_number(os.path.join(folder, name, "ifindex"))
        if index is not None:
            yield name, index


def _adapter(root: str, name: str, index: int, interfaces: List[str]) -> Adapter:
    folder = os.path.join(root, "sys/class/net", name)
    flags = read_number(os.path.join(folder, "flags")) or 0
    state = (read_text(os.path.join(folder, "operstate")) or "unknown").strip()
    speed = read_number(os.path.join(folder, "speed"))
    return Adapter(
        name=name,
        index=index,
        description=None,
        interfaces=interfaces,
        # Tunnels and loopback report "unknown" while they work; then only the flag is reliable.
        up=bool(flags & 1) and state in ("up", "unknown"),
        loopback=bool(flags & 8),
        speed_mbps=speed if speed is not None and speed > 0 else None,
        wireless=os.path.isdir(os.path.join(folder, "wireless")),
    )


def _dump() -> bytes:
    """Ask the kernel for all addresses; b"" where netlink is not allowed."""
    request = _HEADER.pack(_HEADER.size + _IFADDR.size, _GETADDR, _REQUEST_DUMP, 1, 0)
    request += _IFADDR.pack(socket.AF_UNSPEC, 0, 0, 0, 0)
    answer = b""
    try:
        # 0 is NETLINK_ROUTE, which Python names on some builds only.
        with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0) as channel:
            channel.settimeout(1.0)
            channel.send(request)
            while not _ended(answer):
                answer += channel.recv(1 << 16)
    except OSError:
        pass
    return answer


def _messages(data: bytes) -> Iterator[Tuple[int, bytes]]:
    at = 0
    while at + _HEADER.size <= len(data):
        length, kind = _HEADER.unpack_from(data, at)[:2]
        if length < _HEADER.size:
            return
        yield kind, data[at + _HEADER.size : at + length]
        at += (length + 3) & ~3


def _ended(data: bytes) -> bool:
    return any(kind in (_DONE, _ERROR) for kind, _ in _messages(data))


def parse_addresses(data: bytes) -> Iterator[Tuple[int, str]]:
    """Yield adapter index and ``address/prefix`` of each RTM_NEWADDR message."""
    for kind, body in _messages(data):
        if kind != _NEWADDR or len(body) < _IFADDR.size:
            continue
        family, prefix, _, _, index = _IFADDR.unpack_from(body)
        if family not in (socket.AF_INET, socket.AF_INET6):
            continue
        found: Dict[int, bytes] = {}
        at = _IFADDR.size
        while at + _ATTRIBUTE.size <= len(body):
            length, attribute = _ATTRIBUTE.unpack_from(body, at)
            if length < _ATTRIBUTE.size:
                break
            found[attribute] = body[at + _ATTRIBUTE.size : at + length]
            at += (length + 3) & ~3
        # On a point-to-point link "address" is the other end, "local" is ours.
        raw = found.get(_LOCAL) or found.get(_ADDRESS)
        if raw is not None and len(raw) == (4 if family == socket.AF_INET else 16):
            yield index, "%s/%d" % (socket.inet_ntop(family, raw), prefix)
