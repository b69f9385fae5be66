"""Facts of a Linux machine, parsed from /proc and /sys. ``root`` lets a test bring its own tree."""

from __future__ import annotations

import glob
import os
from typing import List, NamedTuple, Optional, Tuple

from agent.facts.files import read_number, read_text
from agent.wire.facts import BatteryFacts, PagingFacts, PowerFacts, RamFacts


class Processor(NamedTuple):
    """Model, physical cores and threads; None where unknown."""

    model: Optional[str]
    cores: Optional[int]
    threads: Optional[int]


def system(root: str = "/") -> Tuple[Optional[str], Optional[str]]:
    """Return the distribution's name and version (``/etc/os-release``)."""
    text = read_text(os.path.join(root, "etc/os-release")) or ""
    return parse_os_release(text)


def parse_os_release(text: str) -> Tuple[Optional[str], Optional[str]]:
    """Return name and version of an os-release file, None where it has none."""
    values = {}
    for line in text.splitlines():
        key, equals, value = line.partition("=")
        if equals:
            values[key.strip()] = value.strip().strip("'\"")
    return values.get("PRETTY_NAME") or values.get("NAME"), values.get("VERSION_ID")


def cpu(root: str = "/") -> Processor:
    """Return model, physical cores and threads."""
    return parse_cpuinfo(read_text(os.path.join(root, "proc/cpuinfo")) or "")


def parse_cpuinfo(text: str) -> Processor:
    """Return the processor; ``cores`` is None where the kernel names none (ARM)."""
    model: Optional[str] = None
    threads = 0
    cores = set()
    package = ""
    for line in text.splitlines():
        key, _, value = line.partition(":")
        key, value = key.strip().lower(), value.strip()
        if key == "processor" and value.isdigit():
            threads += 1
        elif key in ("model name", "cpu model", "hardware") and model is None:
            model = " ".join(value.split())
        elif key == "physical id":
            package = value
        elif key == "core id":
            cores.add((package, value))
    return Processor(model, len(cores) or None, threads or None)


def memory(root: str = "/") -> Tuple[RamFacts, PagingFacts]:
    """Return RAM and swap; ``limit`` is the control group's, None without one."""
    ram, paging = parse_meminfo(read_text(os.path.join(root, "proc/meminfo")) or "")
    limit = read_number(os.path.join(root, "sys/fs/cgroup/memory.max"))
    if limit is None:
        limit = read_number(os.path.join(root, "sys/fs/cgroup/memory/memory.limit_in_bytes"))
    # Version 1 has a number that no machine has for "no limit".
    ram["limit"] = limit if limit is not None and ram["total"] and limit < ram["total"] else None
    return ram, paging


def parse_meminfo(text: str) -> Tuple[RamFacts, PagingFacts]:
    """Return RAM and swap; free RAM is what a program can still have."""
    values = {}
    for line in text.splitlines():
        key, _, rest = line.partition(":")
        words = rest.split()
        if words and words[0].isdigit():
            values[key] = int(words[0]) * 1024
    free = values.get("MemAvailable", values.get("MemFree"))
    return (
        {"total": values.get("MemTotal"), "free": free, "limit": None},
        {
            "total": values.get("SwapTotal"),
            "free": values.get("SwapFree"),
            "commit_limit": None,
            "commit_free": None,
        },
    )


def power(root: str = "/") -> PowerFacts:
    """Return the cpufreq governor as plan, and the battery; Linux servers have no sleep timer to read."""
    governor = read_text(os.path.join(root, "sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"))
    battery: Optional[BatteryFacts] = None
    online: List[int] = []
    for supply in sorted(glob.glob(os.path.join(root, "sys/class/power_supply/*"))):
        kind = (read_text(os.path.join(supply, "type")) or "").strip()
        # A mouse has a battery too: only one of scope System (or unsaid) feeds the machine.
        if (read_text(os.path.join(supply, "scope")) or "").strip() == "Device":
            continue
        if kind == "Battery" and battery is None:
            battery = {"percent": read_number(os.path.join(supply, "capacity")), "discharging": None}
            status = (read_text(os.path.join(supply, "status")) or "").strip()
            if status and status != "Unknown":
                battery["discharging"] = status == "Discharging"
        elif kind in ("Mains", "USB"):
            online.append(read_number(os.path.join(supply, "online")) or 0)
    return {
        "plan": governor.strip() if governor else None,
        "sleep_minutes_ac": None,
        "hibernate_minutes_ac": None,
        "on_ac": bool(max(online)) if online else None,
        "battery": battery,
    }


def display_vendors(root: str = "/") -> List[str]:
    """Return the PCI vendors of display controllers (``10de`` NVIDIA, ``1002`` AMD), driver or not."""
    found = set()
    for device in glob.glob(os.path.join(root, "sys/bus/pci/devices/*")):
        kind = read_text(os.path.join(device, "class")) or ""
        vendor = (read_text(os.path.join(device, "vendor")) or "").strip().lower()
        # 0x03: display controllers; data-center GPUs are "3D controllers" of the same class.
        if kind.startswith("0x03") and vendor.startswith("0x"):
            found.add(vendor[2:])
    return sorted(found)
