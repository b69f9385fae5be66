"""ICMP echo without privileges where the system allows it, and what to do where it does not.

The methods are tried in this order: the system's own call (Windows), an ICMP datagram socket, a raw socket
(root), the ``ping`` program. The last resort, a TCP handshake, is the caller's.
"""

from __future__ import annotations

import ctypes
import os
import re
import socket
import struct
import subprocess
import time
from typing import Any, Callable, List, Optional

from agent.wire.preflight import EchoResult

WINDOWS = os.name == "nt"

_COUNT = 5
_INTERVAL = 0.1
_TIMEOUT = 1.0
_TIME = re.compile(r"[=<]\s*([0-9]+(?:[.,][0-9]+)?)\s*ms", re.IGNORECASE)


class NotPermitted(Exception):
    """This system does not permit ICMP by this method."""


def echo(address: str) -> EchoResult:
    """Return ``{"method", "sent", "received", "ms"}``; ``method`` is None where nothing was permitted."""
    methods: List[Callable[[str], EchoResult]] = [_system_call] if WINDOWS else [_datagram, _raw]
    for method in (*methods, _program):
        try:
            return method(address)
        except (NotPermitted, OSError, subprocess.SubprocessError):
            continue
    return {"method": None, "sent": 0, "received": 0, "ms": []}


def _answer(method: str, times: List[Optional[float]]) -> EchoResult:
    ms = [round(value, 3) for value in times if value is not None]
    return {"method": method, "sent": len(times), "received": len(ms), "ms": ms}


def _datagram(address: str) -> EchoResult:
    return _over_socket(address, socket.SOCK_DGRAM, "icmp")


def _raw(address: str) -> EchoResult:
    return _over_socket(address, socket.SOCK_RAW, "icmp (raw)")


def _over_socket(address: str, kind: int, method: str) -> EchoResult:
    if ":" in address:
        raise NotPermitted("IPv6 is left to the ping program")
    try:
        channel = socket.socket(socket.AF_INET, kind, socket.IPPROTO_ICMP)
    except OSError as error:
        raise NotPermitted(str(error)) from None
    identity = os.getpid() & 0xFFFF
    with channel:
        return _answer(method, [_one(channel, address, kind, identity, n) for n in range(1, _COUNT + 1)])


def _one(channel: socket.socket, address: str, kind: int, identity: int, number: int) -> Optional[float]:
    begun = time.perf_counter()
    try:
        channel.sendto(echo_request(identity, number), (address, 0))
        while True:
            left = begun + _TIMEOUT - time.perf_counter()
            if left <= 0:
                return None
            channel.settimeout(left)
            packet, sender = channel.recvfrom(2048)
            if kind == socket.SOCK_RAW:
                packet = packet[(packet[0] & 15) * 4 :]
            # The kernel sets a datagram socket's identity, so only a raw one's is ours to compare.
            same = kind == socket.SOCK_DGRAM or packet[4:6] == struct.pack(">H", identity)
            ours = sender[0] == address and packet[:1] == b"\0" and same
            if ours and packet[6:8] == struct.pack(">H", number):
                elapsed = time.perf_counter() - begun
                time.sleep(max(_INTERVAL - elapsed, 0.0))
                return elapsed * 1000
    except OSError:
        return None


def echo_request(identity: int, number: int) -> bytes:
    """Return an ICMP echo request with its checksum."""
    head, body = struct.pack(">BBHHH", 8, 0, 0, identity, number), b"dtui preflight.."
    total = sum(struct.unpack(">%dH" % ((len(head) + len(body)) // 2), head + body))
    total = (total >> 16) + (total & 0xFFFF)
    total += total >> 16
    return struct.pack(">BBHHH", 8, 0, ~total & 0xFFFF, identity, number) + body


def _system_call(address: str) -> EchoResult:
    if ":" in address:
        raise NotPermitted("IPv6 is left to the ping program")
    loader: Any = ctypes
    api = loader.WinDLL("iphlpapi")
    api.IcmpCreateFile.restype = ctypes.c_void_p
    handle = api.IcmpCreateFile()
    if handle in (None, ctypes.c_void_p(-1).value):
        raise NotPermitted("no ICMP handle")
    target = struct.unpack("=I", socket.inet_aton(address))[0]
    times: List[Optional[float]] = []
    try:
        for _ in range(_COUNT):
            reply = ctypes.create_string_buffer(256)
            begun = time.perf_counter()
            got = api.IcmpSendEcho(
                ctypes.c_void_p(handle),
                ctypes.c_uint32(target),
                b"dtui",
                ctypes.c_uint16(4),
                None,
                reply,
                ctypes.c_uint32(256),
                ctypes.c_uint32(int(_TIMEOUT * 1000)),
            )
            # ICMP_ECHO_REPLY: address, status, round trip; status 0 is success.
            good = got and struct.unpack_from("=I", reply.raw, 4)[0] == 0
            times.append((time.perf_counter() - begun) * 1000 if good else None)
    finally:
        api.IcmpCloseHandle(ctypes.c_void_p(handle))
    return _answer("icmp", times)


def _program(address: str) -> EchoResult:
    argv = ["ping", "-n", "3", "-w", "1000", address] if WINDOWS else ["ping", "-c", "3", "-W", "1", address]
    said = subprocess.run(
        argv,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=8,
        creationflags=0x08000000 if WINDOWS else 0,
    ).stdout
    text = said.decode("utf-8", "replace")
    times = parse_ping(text)
    if not times and re.search(r"permitted|permission", text, re.IGNORECASE):
        raise NotPermitted(text)
    return _answer("ping program", [*times, *[None] * (3 - len(times))])


def parse_ping(text: str) -> List[Optional[float]]:
    """Return the milliseconds of each answer, in any language of Windows' or Linux' ``ping``.

    An answer's line is the one that names a TTL; the summary does not.
    """
    found = []
    for line in text.splitlines():
        if re.search(r"\bttl\s*=", line, re.IGNORECASE):
            match = _TIME.search(line)
            if match:
                found.append(float(match.group(1).replace(",", ".")))
    return list(found)
