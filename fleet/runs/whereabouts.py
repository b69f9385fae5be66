"""The position of a rank for the user: file, line and function of the program's own code."""

from __future__ import annotations

import re
from collections.abc import Sequence

from agent.wire.message import Message, message
from agent.wire.runs import Frame
from fleet.events import RankPlan
from fleet.runs.watch_state import RankObserved

#: Files of Python's and installed libraries.
_LIBRARY = re.compile(r"site-packages|dist-packages|[/\\]lib[/\\]python3|[/\\]Lib[/\\]|^<frozen|\.zip[/\\]")


def own_frame(frames: Sequence[Frame]) -> Frame | None:
    """Return the innermost frame of the user's own code, the innermost of all when there is none."""
    own = (frame for frame in frames if not _LIBRARY.search(frame["file"]))
    return next(own, frames[0] if frames else None)


def place(frame: Frame) -> Message:
    """Return ``train.py:42 `step```."""
    return message(
        "run.place",
        "{file}:{line} `{function}`",
        file=re.split(r"[/\\]", frame["file"])[-1],
        line=frame["line"],
        function=frame["function"],
    )


def rank_at(plan: RankPlan, seen: RankObserved, frame: Frame, now: float) -> Message:
    """Return at which place of its program a rank has been, and for how long."""
    return message(
        "run.rank-at-place",
        "rank {rank} ({node}) has been in {place} for {seconds:duration}",
        rank=plan.rank,
        node=plan.node,
        place=place(frame),
        seconds=max(0.0, now - seen.observed["since"]),
    )
