"""Running totals of a Windows machine: processor time, disk and network bytes."""

from __future__ import annotations

import ctypes
import struct
from typing import Any, Dict, Optional, Tuple

from agent.facts.windows import library

_IOCTL_DISK_PERFORMANCE = 0x70020
_OPEN_EXISTING = 3
_SHARE_READ_WRITE = 3
_INVALID_HANDLE = ctypes.c_void_p(-1).value
_MAX_DISKS = 16


class _InterfaceRow(ctypes.Structure):
    """MIB_IF_ROW2."""

    _fields_ = [
        ("luid", ctypes.c_uint64),
        ("index", ctypes.c_uint32),
        ("guid", ctypes.c_uint8 * 16),
        ("alias", ctypes.c_uint16 * 257),
        ("description", ctypes.c_uint16 * 257),
        ("physical_length", ctypes.c_uint32),
        ("physical_address", ctypes.c_uint8 * 32),
        ("permanent_address", ctypes.c_uint8 * 32),
        ("mtu", ctypes.c_uint32),
        ("kind", ctypes.c_uint32),
        ("tunnel", ctypes.c_uint32),
        ("media", ctypes.c_uint32),
        ("medium", ctypes.c_uint32),
        ("access", ctypes.c_uint32),
        ("direction", ctypes.c_uint32),
        ("flags", ctypes.c_uint8),
        ("oper_status", ctypes.c_uint32),
        ("admin_status", ctypes.c_uint32),
        ("connect_state", ctypes.c_uint32),
        ("network_guid", ctypes.c_uint8 * 16),
        ("connection", ctypes.c_uint32),
        ("transmit_speed", ctypes.c_uint64),
        ("receive_speed", ctypes.c_uint64),
        ("rx", ctypes.c_uint64),
        ("rx_counts", ctypes.c_uint64 * 8),
        ("tx", ctypes.c_uint64),
        ("tx_counts", ctypes.c_uint64 * 8),
    ]


def counters(adapter: Optional[int]) -> Dict[str, Optional[int]]:
    """Return ``cpu_busy`` and ``cpu_total`` (100 ns), ``read``, ``write``, ``rx`` and ``tx`` (bytes)."""
    busy, total = _processor()
    read, write = _disks()
    rx, tx = _network(adapter) if adapter is not None else (None, None)
    return {"cpu_busy": busy, "cpu_total": total, "read": read, "write": write, "rx": rx, "tx": tx}


def _processor() -> Tuple[Optional[int], Optional[int]]:
    idle, kernel, user = ctypes.c_uint64(), ctypes.c_uint64(), ctypes.c_uint64()
    ok = library("kernel32").GetSystemTimes(ctypes.byref(idle), ctypes.byref(kernel), ctypes.byref(user))
    if not ok:
        return None, None
    total = kernel.value + user.value  # the kernel's time has the idle time in it
    return total - idle.value, total


def _network(index: int) -> Tuple[Optional[int], Optional[int]]:
    row = _InterfaceRow(index=index)
    if library("iphlpapi").GetIfEntry2(ctypes.byref(row)) != 0:
        return None, None
    return row.rx, row.tx


def _disks() -> Tuple[Optional[int], Optional[int]]:
    kernel = library("kernel32")
    kernel.CreateFileW.restype = ctypes.c_void_p
    kernel.CreateFileW.argtypes = [ctypes.c_wchar_p, *[ctypes.c_uint32] * 2, ctypes.c_void_p]
    kernel.CreateFileW.argtypes += [ctypes.c_uint32, ctypes.c_uint32, ctypes.c_void_p]
    found = [total for total in (_disk(kernel, number) for number in range(_MAX_DISKS)) if total]
    if not found:
        return None, None
    return sum(total[0] for total in found), sum(total[1] for total in found)


def _disk(kernel: Any, number: int) -> Optional[Tuple[int, int]]:
    # No access right is asked for, so that no administrator is needed.
    path = r"\\.\PhysicalDrive%d" % number
    handle = kernel.CreateFileW(path, 0, _SHARE_READ_WRITE, None, _OPEN_EXISTING, 0, None)
    if handle in (None, _INVALID_HANDLE):
        return None
    try:
        buffer = ctypes.create_string_buffer(128)
        got = ctypes.c_uint32()
        ok = kernel.DeviceIoControl(
            ctypes.c_void_p(handle), _IOCTL_DISK_PERFORMANCE, None, 0, buffer, 128, ctypes.byref(got), None
        )
        if not ok or got.value < 16:
            return None
        read, written = struct.unpack_from("<qq", buffer.raw)
        return read, written
    finally:
        kernel.CloseHandle(ctypes.c_void_p(handle))
