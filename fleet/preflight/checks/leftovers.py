"""Processes of earlier runs that are still running on a node."""

from __future__ import annotations

from typing import Final

from agent.wire.message import message
from fleet.nodeset import fold
from fleet.preflight.check import Check, Subject, Verdict, ok, warn
from fleet.preflight.observations import CONDITIONS


def leftovers(subject: Subject) -> Verdict:
    """Evaluate the processes of earlier runs."""
    conditions = subject[CONDITIONS]
    if conditions["under_way"]:
        return warn(
            message(
                "preflight.leftovers-run",
                "a run is in progress in this project: {runs}",
                runs=conditions["under_way"],
            ),
            message("preflight.leftovers-run.remedy", "stop it (dtui stop), or wait until it ends"),
        )
    orphans = conditions["orphans"]
    if orphans:
        return warn(
            message(
                "preflight.leftovers",
                "{count:n process/processes} of {runs} still running (pid {pids})",
                count=len(orphans),
                runs=fold(sorted({one["run"] for one in orphans})),
                pids=[one["pid"] for one in orphans[:5]],
            ),
            message("preflight.leftovers.remedy", "run `dtui preflight --fix` or `dtui stop` to end them"),
        )
    return ok(message("preflight.leftovers-none", "no processes of earlier runs"))


CHECKS: Final = (
    Check("leftovers", message("check.leftovers", "processes of earlier runs"), "machine",
          message("check.leftovers.why", "an old rank occupies a port and GPU memory"),
          (CONDITIONS,), leftovers),
)  # fmt: skip
