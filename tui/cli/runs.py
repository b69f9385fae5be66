"""The run that a command is about, and the word for its outcome."""

from __future__ import annotations

from pathlib import Path

from agent.wire.message import Message, message
from fleet.runs import RunSummary, find_runs
from tui.cli.exits import UsageError
from tui.i18n import label


def outcome_label(outcome: str | None) -> Message:
    """Return the word for the outcome of a run; None is that of a run that has not ended."""
    return label("outcome", outcome) if outcome else message("cli.not-finished", "not finished")


def chosen_run(home: Path, wanted: str | None, *, live: bool = False) -> RunSummary:
    """Return the run of that id in the project's ``.dtui``, or the newest.

    Raises UsageError naming the ids there are. ``live`` prefers the newest whose end is not recorded.
    """
    runs = find_runs(home)
    if not runs:
        raise UsageError(
            message("cli.no-runs", "no run was started from {project} yet", project=str(home.parent)),
            message("cli.no-runs.remedy", "start one with `dtui up`"),
        )
    if wanted is None:
        unfinished = [run for run in runs if run.finished is None] if live else []
        return (unfinished or runs)[-1]
    for run in runs:
        if run.run == wanted:
            return run
    newest = [run.run for run in runs[-5:]]
    raise UsageError(
        message(
            "cli.unknown-run", "there is no run {run}; the newest are {newest}", run=wanted, newest=newest
        )
    )
