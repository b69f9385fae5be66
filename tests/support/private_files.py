"""Which files others than their owner may use (POSIX)."""

from __future__ import annotations

import stat
from pathlib import Path


def loose(path: str) -> list[str]:
    """Return what in a folder, itself included, others than its owner may use."""
    entries = [entry for entry in (Path(path), *Path(path).rglob("*")) if not entry.is_symlink()]
    return sorted(str(entry) for entry in entries if stat.S_IMODE(entry.stat().st_mode) & 0o077)
