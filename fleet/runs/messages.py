"""Messages about runs that several modules need."""

from __future__ import annotations

from collections.abc import Sequence

from agent.wire.message import Message, message
from agent.wire.runs import RankProcess


def no_answer(seconds: float) -> Message:
    """Return that a node did not answer in time."""
    return message("run.no-answer", "no answer within {seconds:duration}", seconds=seconds)


def left_inventory() -> Message:
    """Return that a run's node is not in the inventory."""
    return message("run.left-inventory", "the node is no longer in the inventory")


def processes_left(processes: Sequence[RankProcess]) -> Message:
    """Return that a stop left processes."""
    return message(
        "run.processes-left",
        "cannot end these processes: {pids}",
        pids=[process["pid"] for process in processes],
    )


def end_processes(node: str) -> Message:
    """Return what to do about processes that a stop left."""
    return message(
        "run.processes-left.remedy", "end the processes on {node}: they hold GPU memory", node=node
    )


def stop_later(node: str, run: str, remedy: Message) -> Message:
    """Return what to do about the ranks on a node that cannot be reached, after the ``remedy``."""
    if not remedy:
        return message(
            "run.not-reached.remedy",
            "when {node} answers again, run `dtui stop {run}`, and `dtui sweep` for what is left",
            node=node,
            run=run,
        )
    return message(
        "run.not-reached.remedy-first",
        "{remedy}; when {node} answers again, run `dtui stop {run}`, and `dtui sweep` for what is left",
        remedy=remedy,
        node=node,
        run=run,
    )
