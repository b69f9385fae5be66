"""``stacks``: where each rank of a run is, on request: the Python stacks of all its threads.

Arguments: ``project``, ``run``. One item per rank that runs on this node. A rank's observer answers within a
second; of one that does not get the GIL, faulthandler's text is read instead. ``recorder`` is torch's flight
recorder as JSON text.
"""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, List, Optional, TypedDict

from agent import durable
from agent.observer import report
from agent.observer.install import FOLDER
from agent.operations.run_arguments import known_run
from agent.paths import shown
from agent.private import opener
from agent.wire.decode import WireError, clean_text, decode
from agent.wire.operation import Nothing
from agent.wire.runs import RankStacks, StacksArgs, ThreadStack

if TYPE_CHECKING:
    from agent.server import Call

    Request = Call[StacksArgs, None, RankStacks]

#: An observer checks for requests once per second.
_SECONDS = 4.0
_LARGEST = 8 << 20
_MAX_THREADS = 64
_MAX_NAME = 100
_MAX_RECORDER = 512 * 1024


class _Answer(TypedDict):
    number: str
    at: float
    stacks: List[ThreadStack]
    recorder: Optional[str]


def stacks(call: Request) -> Nothing:
    """Ask the observers of the run's ranks, and send what each answers."""
    folder, status = known_run(call)
    waiting = [rank["rank"] for rank in status["ranks"] if rank["exited_at"] is None]
    observers = os.path.join(shown(folder.path), FOLDER)
    if waiting and os.path.isdir(observers):
        _collect(call, observers, waiting)
    for rank in waiting:
        call.send(_unanswered(observers, rank))
    return {}


def _collect(call: Request, observers: str, waiting: List[int]) -> None:
    """Send the answer of each rank's observer, and remove the rank from ``waiting``."""
    number = os.urandom(8).hex()
    with open(os.path.join(observers, "stacks.request"), "w", encoding="ascii", opener=opener) as file:
        file.write(number)
    end = time.monotonic() + _SECONDS
    while waiting and time.monotonic() < end and not call.cancelled.wait(0.1):
        for rank in list(waiting):
            answer = _answer_of(observers, rank, number)
            if answer is not None:
                waiting.remove(rank)
                call.send(answer)


def _answer_of(observers: str, rank: int, number: str) -> Optional[RankStacks]:
    try:
        written = durable.read_json(os.path.join(observers, "stacks-%d.json" % rank), _LARGEST)
        found = decode(_Answer, written, tolerant=True)
    except WireError:
        return None
    if found["number"] != number:
        return None
    recorder = found["recorder"]
    return {
        "rank": rank,
        "source": "observer",
        "stacks": [
            {
                "thread": clean_text(one["thread"])[:_MAX_NAME],
                "main": one["main"],
                "frames": report.bounded(one["frames"]),
            }
            for one in found["stacks"][:_MAX_THREADS]
        ],
        "recorder": clean_text(recorder) if recorder is not None and len(recorder) <= _MAX_RECORDER else None,
    }


def _unanswered(observers: str, rank: int) -> RankStacks:
    frames = report.bounded(report.stuck_frames(observers, rank))
    stack: ThreadStack = {"thread": "MainThread", "main": True, "frames": frames}
    return {
        "rank": rank,
        "source": "faulthandler" if frames else "none",
        "stacks": [stack] if frames else [],
        "recorder": None,
    }
