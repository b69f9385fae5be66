"""How a run ended, and why."""

from __future__ import annotations

import signal
from collections.abc import Callable

from agent.wire.message import Message, message
from fleet.diagnose import Diagnosis
from fleet.events import RankExited, RunFinished
from fleet.nodeset import fold
from fleet.runs.progress import Progress
from fleet.runs.watch_state import Failure, NodeEnded, SupervisorLost, WatchState

_LINE_SHOWN = 200
_WINDOWS_CODES = {
    0xC0000005: message("exit.access-violation", "access violation"),
    0xC00000FD: message("exit.stack-overflow", "stack overflow"),
    0xC0000017: message("exit.out-of-memory", "out of memory"),
    0xC000013A: message("exit.ctrl-c", "Ctrl-C, or its console was closed"),
    0xC0000135: message("exit.no-dll", "a DLL is missing"),
    0xC0000409: message("exit.fail-fast", "aborted by a run-time check of the program"),
}


def exit_text(code: int) -> Message:
    """Return what an exit code means: ``exit code 1``, ``signal 9 (SIGKILL)``, a Windows status in words."""
    if code < 0:
        try:
            name = signal.Signals(-code).name
        except ValueError:
            return message("exit.signal", "signal {number}", number=-code)
        return message("exit.named-signal", "signal {number} ({name})", number=-code, name=name)
    if code in _WINDOWS_CODES:
        meaning = _WINDOWS_CODES[code]
        return message("exit.known-status", "status 0x{code:08X} ({meaning})", code=code, meaning=meaning)
    if code < 256:
        return message("exit.code", "exit code {code}", code=code)
    return message("exit.status", "status 0x{code:08X}", code=code)


def rank_failure(end: RankExited) -> Failure:
    """Return the failure of a rank that exited with a code other than 0."""
    if end.code < 0:
        what = message(
            "run.rank-killed",
            "rank {rank} ({node}) was ended by {signal}",
            rank=end.rank,
            node=end.node,
            signal=exit_text(end.code),
        )
    else:
        what = message(
            "run.rank-exited",
            "rank {rank} ({node}) ended with {exit}",
            rank=end.rank,
            node=end.node,
            exit=exit_text(end.code),
        )
    if end.code == -9:
        remedy = message(
            "run.rank-killed.remedy",
            "the system may have run out of memory: check dmesg on {node}, and see the end of "
            "rank {rank}'s log",
            node=end.node,
            rank=end.rank,
        )
    else:
        remedy = message("run.rank-exited.remedy", "see the end of rank {rank}'s log", rank=end.rank)
    return Failure(end.at, what, remedy, end.rank)


def supervisor_failure(lost: SupervisorLost, run: str) -> Failure:
    """Return the failure of a node whose supervisor has ended before its ranks."""
    return Failure(
        lost.at,
        message(
            "run.supervisor-lost",
            "the supervisor on {node} has ended unexpectedly: {reason}",
            node=lost.node,
            reason=lost.reason,
        ),
        message(
            "run.supervisor-lost.remedy",
            "dtui ends its ranks; if any are left, run `dtui stop {run}`",
            run=run,
        ),
    )


def node_failure(ended: NodeEnded, progress: Progress, now: float) -> Failure | None:
    """Return the failure of a node whose part ended for another reason than its ranks' ends."""
    if ended.state == "unreachable" and ended.since is not None:
        what = message(
            "run.node-lost",
            "{node} is lost: out of reach for {seconds:duration} ({error})",
            node=ended.node,
            seconds=max(0.0, now - ended.since),
            error=ended.error,
        )
        remedy = ended.remedy or message(
            "run.node-lost.remedy", "check that {node} is switched on and connected", node=ended.node
        )
        return Failure(ended.since, what, remedy, unreachable=True)
    if ended.state not in ("missing", "unreachable") and not ended.error:
        return None
    failed = progress.first_failure_on(ended.node)
    if ended.error.id == "supervisor.disk-full" and failed is not None:
        what = message(
            "run.disk-full", "{error}: {failure}", error=ended.error, failure=rank_failure(failed).cause
        )
        remedy = message(
            "run.disk-full.remedy", "free disk space on {node}, and start the run again", node=ended.node
        )
        return Failure(failed.at, what, remedy, explains=failed.rank, final=True)
    what = message("run.node-failed", "{node}: {error}", node=ended.node, error=ended.error)
    return Failure(ended.at, what, ended.remedy, unreachable=ended.state in ("missing", "unreachable"))


def cause_of(
    watch_state: WatchState,
    progress: Progress,
    lost_peer: Callable[[int], bool],
    raised: Callable[[int], str] = lambda rank: "",
) -> Failure | None:
    """Return why the run failed: the earliest failure that is not plainly the consequence of another end.

    ``lost_peer`` returns whether a rank's output shows that its connection to another rank broke. Such a rank
    may end before the one that broke it, and a rank that left with code 0, or with its machine, has no
    failure of its own. ``raised`` returns the exception that a rank's output ends with, empty without one.
    """
    explained = {failure.explains for failure in watch_state.failures if failure.explains is not None}
    failures = sorted(
        (
            failure
            for failure in watch_state.failures
            if failure.rank is None or failure.rank not in explained
        ),
        key=lambda failure: failure.at,
    )
    reached = [failure for failure in failures if not failure.unreachable]
    for failure in reached:
        if failure.rank is None or not lost_peer(failure.rank):
            return failure
    if len(reached) < len(failures):
        return next(failure for failure in failures if failure.unreachable)
    if not reached:
        return None
    for end in sorted(progress.exited.values(), key=lambda end: end.at):
        # It was about to end by itself when dtui ended all ranks.
        if end.stopped and raised(end.rank) and not lost_peer(end.rank):
            what = message(
                "run.rank-raised",
                "rank {rank} ({node}) failed with an exception",
                rank=end.rank,
                node=end.node,
            )
            return Failure(end.at, what, reached[0].remedy, end.rank)
    left = [end for end in progress.exited.values() if end.code == 0 and not end.stopped]
    first = min(left, key=lambda end: end.at, default=None)
    if first is None or first.at > reached[0].at:
        return reached[0]
    what = message(
        "run.rank-left",
        "rank {rank} ({node}) ended with exit code 0 while others still needed it: {failure}",
        rank=first.rank,
        node=first.node,
        failure=reached[0].cause,
    )
    remedy = message(
        "run.rank-left.remedy",
        "let all ranks take the same number of steps; see the end of rank {rank}'s log",
        rank=first.rank,
    )
    return Failure(first.at, what, remedy, first.rank, final=True)


def _diagnosed(failure: Message, found: Diagnosis) -> Message:
    said = found.cause
    if found.confidence == "likely":
        said = message("run.likely", "the likely cause is that {cause}", cause=found.cause)
    if not found.line:
        return message("run.failed-cause", "{failure}: {cause}", failure=failure, cause=said)
    line = found.line[:_LINE_SHOWN]
    return message(
        "run.failed-diagnosed", "{failure}: {cause} ({line!r})", failure=failure, cause=said, line=line
    )


def verdict(
    run: str,
    progress: Progress,
    watch_state: WatchState,
    at: float,
    found: Diagnosis | None = None,
    exception: str = "",
    *,
    cause: Failure | None = None,
    last_line: str = "",
) -> RunFinished:
    """Return the run's end. ``cause`` is that of :func:`cause_of`; what followed it is not repeated.

    ``found`` is the diagnosis of the ranks' output, ``exception`` the one that the failed rank's ends with,
    ``last_line`` what a rank without an exception printed last.
    """
    cause = cause or cause_of(watch_state, progress, lambda rank: False)
    if cause is not None and found is not None:
        text = _diagnosed(cause.cause, found)
        return RunFinished(at=at, run=run, outcome="failed", cause=text, remedy=found.remedy)
    if cause is not None:
        text = cause.cause
        if exception:
            text = message(
                "run.failed-exception",
                "{failure}: {exception}",
                failure=cause.cause,
                exception=exception[:_LINE_SHOWN],
            )
        elif last_line:
            text = message(
                "run.failed-last-line",
                "{failure}; its last output is {line!r}",
                failure=cause.cause,
                line=last_line[:_LINE_SHOWN],
            )
        return RunFinished(at=at, run=run, outcome="failed", cause=text, remedy=cause.remedy)
    stopped = any(end.stopped for end in progress.exited.values())
    not_done = [node for node, ended in watch_state.ended.items() if ended.state != "succeeded"]
    if not_done:
        text = message("run.stopped-on", "stopped by request on {nodes}", nodes=fold(not_done))
        return RunFinished(at=at, run=run, outcome="stopped", cause=text)
    if stopped:
        text = message("run.stopped", "stopped by request")
        return RunFinished(at=at, run=run, outcome="stopped", cause=text)
    return RunFinished(at=at, run=run, outcome="succeeded")
