"""Network adapters of a Windows machine with the friendly names that gloo compares (GetAdaptersAddresses)."""

from __future__ import annotations

import ctypes
import socket
import struct
from typing import Any, List, Optional

from agent.facts.routes import Adapter
from agent.facts.windows import library

_SKIP_ANYCAST_MULTICAST_DNS = 0x2 | 0x4 | 0x8
_BUFFER_OVERFLOW = 111
_LOOPBACK, _WIRELESS = 24, 71
_UP = 1


class _SocketAddress(ctypes.Structure):
    _fields_ = [("address", ctypes.c_void_p), ("length", ctypes.c_int)]


class _Unicast(ctypes.Structure):
    pass


_Unicast._fields_ = [
    ("length", ctypes.c_uint32),
    ("flags", ctypes.c_uint32),
    ("next", ctypes.POINTER(_Unicast)),
    ("address", _SocketAddress),
    ("prefix_origin", ctypes.c_int),
    ("suffix_origin", ctypes.c_int),
    ("dad_state", ctypes.c_int),
    ("valid_lifetime", ctypes.c_uint32),
    ("preferred_lifetime", ctypes.c_uint32),
    ("lease_lifetime", ctypes.c_uint32),
    ("prefix", ctypes.c_uint8),
]


class _Adapter(ctypes.Structure):
    pass


# The beginning of IP_ADAPTER_ADDRESSES_LH; the system allocates it, so the rest may be left out.
_Adapter._fields_ = [
    ("length", ctypes.c_uint32),
    ("index", ctypes.c_uint32),
    ("next", ctypes.POINTER(_Adapter)),
    ("adapter_name", ctypes.c_char_p),
    ("unicast", ctypes.POINTER(_Unicast)),
    ("anycast", ctypes.c_void_p),
    ("multicast", ctypes.c_void_p),
    ("dns", ctypes.c_void_p),
    ("dns_suffix", ctypes.c_wchar_p),
    ("description", ctypes.c_wchar_p),
    ("friendly_name", ctypes.c_wchar_p),
    ("physical_address", ctypes.c_uint8 * 8),
    ("physical_length", ctypes.c_uint32),
    ("flags", ctypes.c_uint32),
    ("mtu", ctypes.c_uint32),
    ("kind", ctypes.c_uint32),
    ("state", ctypes.c_int),
    ("index6", ctypes.c_uint32),
    ("zones", ctypes.c_uint32 * 16),
    ("first_prefix", ctypes.c_void_p),
    ("transmit_speed", ctypes.c_uint64),
    ("receive_speed", ctypes.c_uint64),
]


def adapters() -> List[Adapter]:
    """Return every adapter with ``interfaces`` as ``address/prefix``, in the system's order."""
    call = library("iphlpapi").GetAdaptersAddresses
    size = ctypes.c_uint32(1 << 15)
    for _ in range(4):  # an adapter may appear between two calls
        buffer = ctypes.create_string_buffer(size.value)
        status = call(socket.AF_UNSPEC, _SKIP_ANYCAST_MULTICAST_DNS, None, buffer, ctypes.byref(size))
        if status != _BUFFER_OVERFLOW:
            break
    if status != 0:
        return []
    found = []
    at = ctypes.cast(buffer, ctypes.POINTER(_Adapter))
    while at:
        found.append(_facts(at.contents))
        at = at.contents.next
    return found


def _facts(adapter: Any) -> Adapter:
    interfaces = []
    at = adapter.unicast
    while at:
        entry = at.contents
        raw = ctypes.string_at(entry.address.address, entry.address.length)
        address = parse_socket_address(raw)
        if address is not None:
            interfaces.append("%s/%d" % (address, entry.prefix))
        at = entry.next
    return Adapter(
        name=adapter.friendly_name,
        index=adapter.index,
        description=adapter.description,
        interfaces=interfaces,
        up=adapter.state == _UP,
        loopback=adapter.kind == _LOOPBACK,
        speed_mbps=speed_mbps(adapter.transmit_speed),
        wireless=adapter.kind == _WIRELESS,
    )


def speed_mbps(bits: int) -> Optional[int]:
    """Return Mbit/s; adapters that have no speed report 0 or all ones."""
    return bits // 10**6 if 0 < bits < 1 << 62 else None


def parse_socket_address(raw: bytes) -> Optional[str]:
    """Return the address in a SOCKADDR, None for a family that is not IP."""
    family = struct.unpack_from("<H", raw)[0] if len(raw) >= 2 else 0
    if family == socket.AF_INET and len(raw) >= 8:
        return socket.inet_ntop(socket.AF_INET, raw[4:8])
    if family == 23 and len(raw) >= 24:  # AF_INET6, as Windows numbers it
        return socket.inet_ntop(socket.AF_INET6, raw[8:24])
    return None
