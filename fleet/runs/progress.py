"""The progress of a run: enough to continue from a recording, and to report how the run ended."""

from __future__ import annotations

from fleet.events import (
    Event,
    LogChunk,
    MetricsSeen,
    RankExited,
    RankPhase,
    RankStarted,
    RunFinished,
)  # fmt: skip
from fleet.runs.watch_state import RankObserved

_JOINED = frozenset(["joined", "training", "saving", "sampling", "done"])


class Progress:
    """The sum of a run's events, fed one by one."""

    def __init__(self) -> None:
        self.started: dict[int, RankStarted] = {}
        self.exited: dict[int, RankExited] = {}
        #: Rank -> where its output, and its metrics, are to be read on.
        self.log_ends: dict[int, int] = {}
        self.metrics_ends: dict[int, int] = {}
        #: Rank -> its newest phase; ranks of a program that reports none are missing.
        self.phases: dict[int, str] = {}
        self.joined: set[int] = set()
        #: Rank -> its node, and where its observer saw it last.
        self.observed: dict[int, RankObserved] = {}
        self.finished: RunFinished | None = None

    def add(self, event: Event) -> None:
        """Take note of an event of the run."""
        if isinstance(event, LogChunk):
            # Not the largest: a file that was cut short is read from its new beginning.
            self.log_ends[event.rank] = event.offset + len(event.data)
        elif isinstance(event, MetricsSeen):
            if event.source == "output":
                return
            self.metrics_ends[event.rank] = event.end
            if event.record.kind == "step":
                self.joined.add(event.rank)
        elif isinstance(event, RankPhase):
            self.phases[event.rank] = event.phase
            if event.phase in _JOINED:
                self.joined.add(event.rank)
        elif isinstance(event, RankStarted):
            self.started[event.rank] = event
        elif isinstance(event, RankExited):
            self.exited[event.rank] = event
        elif isinstance(event, RunFinished):
            self.finished = event

    def observe(self, seen: RankObserved) -> None:
        """Record where a rank is."""
        self.observed[seen.rank] = seen
        if seen.observed["phase"] == "joined":
            self.joined.add(seen.rank)

    @property
    def first_failure(self) -> RankExited | None:
        """The end of the rank that failed first, by the master's clock."""
        return min(self.failures, key=lambda end: end.at, default=None)

    @property
    def failures(self) -> list[RankExited]:
        """The ends of the ranks that failed by themselves."""
        return [end for end in self.exited.values() if failed(end)]

    def has_exit_code(self, rank: int) -> bool:
        """Return whether a rank failed by itself with a code of its own, and not by a signal."""
        end = self.exited.get(rank)
        return end is not None and failed(end) and 0 < end.code < 256

    @property
    def exit_codes(self) -> dict[int, int]:
        """Rank -> the exit code of each that ended by itself."""
        return {rank: end.code for rank, end in self.exited.items() if not end.stopped and not end.lost}

    def first_failure_on(self, node: str) -> RankExited | None:
        """Return the end of the rank that failed first on a node."""
        ends = [end for end in self.failures if end.node == node]
        return min(ends, key=lambda end: end.at, default=None)


def failed(end: RankExited) -> bool:
    """Return whether a rank failed by itself: not stopped, nor lost with its supervisor."""
    return end.code != 0 and not end.stopped and not end.lost
