"""Which run a command means when it is not named."""

from __future__ import annotations

from pathlib import Path

from fleet.runs import RunSummary, find_runs
from tui.cli.exits import UsageError


def chosen_run(home: Path, wanted: str | None, *, live: bool = False) -> RunSummary:
    """Return the run of that id in the project's ``.dtui``, or the newest.

    Raises UsageError naming the ids there are. ``live`` prefers the newest whose end is not recorded.
    """
    runs = find_runs(home)
    if not runs:
        raise UsageError(f"no run was started from {home.parent} yet (dtui up)")
    if wanted is None:
        unfinished = [run for run in runs if run.finished is None] if live else []
        return (unfinished or runs)[-1]
    for run in runs:
        if run.run == wanted:
            return run
    raise UsageError(f"there is no run {wanted}; the newest are {', '.join(run.run for run in runs[-5:])}")
