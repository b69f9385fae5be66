"""Running totals of a Linux machine: processor time, disk and network bytes."""

from __future__ import annotations

import os
from typing import Dict, Iterable, Optional, Tuple

from agent.facts.files import read_number, read_text

_SECTOR = 512


def counters(adapter: Optional[str], root: str = "/") -> Dict[str, Optional[int]]:
    """Return ``cpu_busy`` and ``cpu_total`` (ticks), ``read``, ``write``, ``rx`` and ``tx`` (bytes)."""
    busy, total = parse_stat(read_text(os.path.join(root, "proc/stat")) or "")
    disks = _disks(root)
    read, write = parse_diskstats(read_text(os.path.join(root, "proc/diskstats")) or "", disks)
    statistics = os.path.join(root, "sys/class/net", adapter or "", "statistics")
    return {
        "cpu_busy": busy,
        "cpu_total": total,
        "read": read,
        "write": write,
        "rx": read_number(os.path.join(statistics, "rx_bytes")) if adapter else None,
        "tx": read_number(os.path.join(statistics, "tx_bytes")) if adapter else None,
    }


def parse_stat(text: str) -> Tuple[Optional[int], Optional[int]]:
    """Return busy and all ticks of all processors; waiting for a disk is not busy."""
    words = text.split("\n", 1)[0].split()
    if len(words) < 6 or words[0] != "cpu" or not all(word.isdigit() for word in words[1:]):
        return None, None
    # user nice system idle iowait irq softirq steal; what follows is part of user and nice.
    ticks = [int(word) for word in words[1:9]]
    total = sum(ticks)
    return total - ticks[3] - ticks[4], total


def parse_diskstats(text: str, disks: Iterable[str]) -> Tuple[Optional[int], Optional[int]]:
    """Return the bytes read and written of ``disks``; None when none of them is listed."""
    wanted = set(disks)
    read = written = 0
    found = False
    for line in text.splitlines():
        words = line.split()
        if len(words) >= 10 and words[2] in wanted:
            read, written, found = read + int(words[5]), written + int(words[9]), True
    return (read * _SECTOR, written * _SECTOR) if found else (None, None)


def _disks(root: str) -> Iterable[str]:
    """Yield the disks themselves: partitions, RAID and mapped devices would count the same bytes again."""
    folder = os.path.join(root, "sys/block")
    try:
        names = os.listdir(folder)
    except OSError:
        return
    for name in names:
        if os.path.exists(os.path.join(folder, name, "device")):
            yield name
