"""Reads the reports of the observer in a rank. The rank's program can write them too, so none is trusted."""

from __future__ import annotations

import os
import re
from typing import List, Optional, TypedDict

from agent import durable
from agent.wire.decode import WireError, clean_text, decode
from agent.wire.runs import Frame, Observed, RankPhase

_LARGEST = 256 * 1024
#: Frames of a stack that are sent, the innermost first.
MAX_FRAMES = 24
#: The observer reports at least every 5 s unless something holds the GIL.
_STALE = 12.0
_MAX_TEXT = 300
_STACK = re.compile(r'^  File "(.{1,1000})", line ([0-9]{1,7}) in (.{1,300})$', re.MULTILINE)


class _Report(TypedDict):
    version: int
    pid: int
    at: float
    since: float
    phase: RankPhase
    frames: List[Frame]
    collective: bool
    store: Optional[str]


def read(folder: str, rank: int, now: float) -> Optional[Observed]:
    """Return where the rank is, None when it has not reported; ``folder`` is the observer's."""
    try:
        written = durable.read_json(os.path.join(folder, "rank-%d.json" % rank), _LARGEST)
        found = decode(_Report, written, tolerant=True)
    except WireError:
        return None
    stuck = now - found["at"] > _STALE
    frames = (stuck_frames(folder, rank) if stuck else []) or found["frames"]
    return {
        "phase": found["phase"],
        "since": min(found["since"], now),
        "frames": bounded(frames),
        "collective": found["collective"],
        "store": clean_text(found["store"])[:_MAX_TEXT] if found["store"] else None,
        "stuck": stuck,
        "idle": None,
    }


def stuck_frames(folder: str, rank: int) -> List[Frame]:
    """Return the frames of the thread that holds the GIL, from faulthandler's text."""
    try:
        data = durable.read_file(os.path.join(folder, "rank-%d.stuck.txt" % rank), _LARGEST)
    except (OSError, ValueError):
        return []
    text = data.decode("utf-8", "replace").rpartition("Timeout (")[2]
    # The main thread comes last.
    last = text.rpartition("most recent call first):\n")[2]
    return [
        {"file": file, "line": int(line), "function": function}
        for file, line, function in _STACK.findall(last)
    ]


def bounded(frames: List[Frame]) -> List[Frame]:
    """Return the innermost frames of a stack, with texts that can be sent and shown."""
    return [
        {
            "file": clean_text(frame["file"])[-_MAX_TEXT:],
            "line": frame["line"],
            "function": clean_text(frame["function"])[:_MAX_TEXT],
        }
        for frame in frames[:MAX_FRAMES]
    ]
