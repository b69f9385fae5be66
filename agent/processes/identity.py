"""What names a process beyond doubt."""

from __future__ import annotations

from typing import Any, Dict, NamedTuple, Optional


class Identity(NamedTuple):
    """A process of this machine. ``start_time`` is opaque: two are the same or they are not."""

    pid: int
    start_time: str

    def as_json(self) -> Dict[str, Any]:
        """Return ``{"pid", "start_time"}``."""
        return {"pid": self.pid, "start_time": self.start_time}

    @classmethod
    def from_json(cls, value: Any) -> Optional[Identity]:
        """Return what :meth:`as_json` (or a dict with more keys) holds, None when it names no process."""
        try:
            pid, start_time = int(value["pid"]), str(value["start_time"])
        except (TypeError, KeyError, ValueError):
            return None
        return cls(pid, start_time) if pid > 0 and start_time else None


class Process(NamedTuple):
    """A living process: ``parent`` is a pid, 0 when the parent has ended; ``session`` is 0 on Windows."""

    identity: Identity
    parent: int
    session: int
    name: str
