"""Power plan, sleep timers and battery of a Windows machine, through powrprof.dll."""

from __future__ import annotations

import ctypes
import uuid
from contextlib import suppress
from typing import Any, Optional

from agent.facts.windows import library
from agent.wire.facts import PowerFacts

_SLEEP = "238c9fa8-0aad-41ed-83f4-97be242c8f20"
_STANDBY_AFTER = "29f6c1db-86da-48c5-9fdb-f2b67b1f44da"
_HIBERNATE_AFTER = "9d7815a6-7ee4-497e-8888-515a05f02364"
_NO_BATTERY, _UNKNOWN = 128, 255


class _PowerStatus(ctypes.Structure):
    _fields_ = [
        ("on_ac", ctypes.c_uint8),
        ("battery", ctypes.c_uint8),
        ("percent", ctypes.c_uint8),
        ("saver", ctypes.c_uint8),
        ("seconds", ctypes.c_uint32),
        ("seconds_full", ctypes.c_uint32),
    ]


def power() -> PowerFacts:
    """Return the plan's name, minutes to sleep and to hibernation on AC (0: never), and the battery."""
    facts: PowerFacts = {
        "plan": None,
        "sleep_minutes_ac": None,
        "hibernate_minutes_ac": None,
        "on_ac": None,
        "battery": None,
    }
    status = _PowerStatus()
    if library("kernel32").GetSystemPowerStatus(ctypes.byref(status)):
        facts["on_ac"] = bool(status.on_ac) if status.on_ac != _UNKNOWN else None
        if status.battery != _UNKNOWN and not status.battery & _NO_BATTERY:
            percent = status.percent if status.percent != _UNKNOWN else None
            facts["battery"] = {"percent": percent, "discharging": status.on_ac == 0}
    with suppress(OSError, AttributeError):  # Windows of a reduced edition lacks the library
        _read_plan(library("powrprof"), facts)
    return facts


def _read_plan(powrprof: Any, facts: PowerFacts) -> None:
    active = ctypes.c_void_p()
    if powrprof.PowerGetActiveScheme(None, ctypes.byref(active)) != 0:
        return
    try:
        size = ctypes.c_uint32(512)
        name = ctypes.create_unicode_buffer(256)
        if powrprof.PowerReadFriendlyName(None, active, None, None, name, ctypes.byref(size)) == 0:
            facts["plan"] = name.value or None
        facts["sleep_minutes_ac"] = _minutes(powrprof, active, _STANDBY_AFTER)
        facts["hibernate_minutes_ac"] = _minutes(powrprof, active, _HIBERNATE_AFTER)
    finally:
        kernel = library("kernel32")
        kernel.LocalFree.argtypes = [ctypes.c_void_p]
        kernel.LocalFree(active)


def _minutes(powrprof: Any, scheme: Any, setting: str) -> Optional[int]:
    value = ctypes.c_uint32()
    group, which = uuid.UUID(_SLEEP).bytes_le, uuid.UUID(setting).bytes_le
    if powrprof.PowerReadACValueIndex(None, scheme, group, which, ctypes.byref(value)) != 0:
        return None
    return -(-value.value // 60)
