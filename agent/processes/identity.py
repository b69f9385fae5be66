"""Identifies a process uniquely."""

from __future__ import annotations

from typing import NamedTuple, Optional

from agent.wire.decode import WireError, decode
from agent.wire.runs import ProcessId


class Identity(NamedTuple):
    """A process of this machine. ``start_time`` is opaque: two are the same or they are not."""

    pid: int
    start_time: str

    def as_json(self) -> ProcessId:
        """Return ``{"pid", "start_time"}``."""
        return {"pid": self.pid, "start_time": self.start_time}

    @classmethod
    def from_json(cls, value: object) -> Optional[Identity]:
        """Return what :meth:`as_json` (or a dict with more keys) holds, None when it names no process."""
        try:
            found = decode(ProcessId, value, tolerant=True)
        except WireError:
            return None
        pid, start_time = found["pid"], found["start_time"]
        return cls(pid, start_time) if pid > 0 and start_time else None


class Process(NamedTuple):
    """A living process: ``parent`` is a pid, 0 when the parent has ended; ``session`` is 0 on Windows."""

    identity: Identity
    parent: int
    session: int
    name: str


class Usage(NamedTuple):
    """What a process has used since its start: seconds of CPU time, and bytes read and written."""

    cpu: float
    transferred: int
