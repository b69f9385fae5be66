"""How a run ended, said for a person."""

from __future__ import annotations

import signal

from fleet.diagnose import Diagnosis
from fleet.events import RankExited, RunFinished
from fleet.nodeset import fold
from fleet.runs.gang import Failure, Gang, NodeEnded, SupervisorLost
from fleet.runs.progress import Progress

_LINE_SHOWN = 200
_WINDOWS_CODES = {
    0xC0000005: "access violation",
    0xC00000FD: "stack overflow",
    0xC0000017: "out of memory",
    0xC000013A: "ended by Ctrl-C or with its console",
    0xC0000135: "a DLL is missing",
    0xC0000409: "aborted by its own run-time check",
}


def exit_text(code: int) -> str:
    """Return what an exit code means: ``exit code 1``, ``signal 9 (SIGKILL)``, a Windows status in words."""
    if code < 0:
        try:
            return f"signal {-code} ({signal.Signals(-code).name})"
        except ValueError:
            return f"signal {-code}"
    if code in _WINDOWS_CODES:
        return f"status 0x{code:08X} ({_WINDOWS_CODES[code]})"
    return f"exit code {code}" if code < 256 else f"status 0x{code:08X}"


def rank_failure(end: RankExited) -> Failure:
    """Return the failure of a rank that ended by itself with a code other than 0."""
    remedy = f"see the end of rank {end.rank}'s log"
    if end.code == -9:
        remedy = f"the system may have run out of memory (dmesg on {end.node}); {remedy}"
    if end.code < 0:
        what = f"rank {end.rank} ({end.node}) was ended by {exit_text(end.code)}"
    else:
        what = f"rank {end.rank} ({end.node}) ended with {exit_text(end.code)}"
    return Failure(end.at, what, remedy, end.rank)


def supervisor_failure(lost: SupervisorLost, run: str) -> Failure:
    """Return the failure of a node whose supervisor does not live any more."""
    return Failure(
        lost.at,
        f"the supervisor of {lost.node} is gone: it was killed, or the machine restarted",
        f"its ranks are ended without it; `dtui stop {run}` tries again",
    )


def node_failure(ended: NodeEnded) -> Failure | None:
    """Return what is wrong with a node that ended otherwise than by its ranks' ends."""
    if ended.state in ("missing", "unreachable"):
        return Failure(ended.at, f"{ended.node}: {ended.error}", ended.remedy)
    if ended.error:
        return Failure(ended.at, f"{ended.node}: {ended.error}")
    return None


def verdict(
    run: str,
    progress: Progress,
    gang: Gang,
    at: float,
    found: Diagnosis | None = None,
    exception: str = "",
) -> RunFinished:
    """Return the run's end. The earliest failure is the cause; what followed it is not repeated.

    ``found`` is what the ranks' output says about it, ``exception`` what the failed rank's ends with.
    """
    cause = gang.cause
    if cause is not None and found is not None:
        text = f"{cause.cause}: {found.cause} ({found.line[:_LINE_SHOWN]!r})"
        return RunFinished(at=at, run=run, outcome="failed", cause=text, remedy=found.remedy)
    if cause is not None:
        text = f"{cause.cause}: {exception[:_LINE_SHOWN]}" if exception else cause.cause
        return RunFinished(at=at, run=run, outcome="failed", cause=text, remedy=cause.remedy)
    stopped = any(end.stopped for end in progress.exited.values())
    not_done = [node for node, ended in gang.ended.items() if ended.state != "succeeded"]
    if stopped or not_done:
        where = f" on {fold(not_done)}" if not_done else ""
        return RunFinished(at=at, run=run, outcome="stopped", cause=f"stopped by request{where}")
    return RunFinished(at=at, run=run, outcome="succeeded")
