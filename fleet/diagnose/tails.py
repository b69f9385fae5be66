"""The end of every rank's output, and the cause of a failure in it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from fleet.diagnose.context import Context
from fleet.diagnose.exceptions import exception_of
from fleet.diagnose.findings import Report
from fleet.diagnose.reasoning import Output, diagnose
from fleet.diagnose.rules import Rule
from fleet.events import LogChunk

#: Bytes kept of each rank: a traceback of every rank's every thread fits.
KEPT = 1 << 16


class LogTails:
    """Collects LogChunks of the ranks in ``contexts``, for a diagnosis after the run has failed."""

    def __init__(self, contexts: Mapping[int, Context]) -> None:
        self._contexts = contexts
        self._tails: dict[int, bytearray] = {}

    def add(self, chunk: LogChunk) -> None:
        """Add a piece of a rank's output."""
        if chunk.rank not in self._contexts:
            return
        tail = self._tails.setdefault(chunk.rank, bytearray())
        tail += chunk.data
        if len(tail) > 2 * KEPT:
            del tail[:-KEPT]

    def diagnose(
        self, rules: Sequence[Rule], failed: int | None, exits: Mapping[int, int] | None = None
    ) -> Report:
        """Return what the output shows; ``failed`` is the rank that ended first, if one did.

        ``exits`` has the exit codes of the ranks that ended by themselves.
        """
        codes = exits or {}
        ranks = set(self._tails) | ({failed} if failed in self._contexts else set())
        outputs = [
            Output(self._text(rank), self._contexts[rank], rank, codes.get(rank))
            for rank in sorted(rank for rank in ranks if rank is not None)
        ]
        return diagnose(outputs, rules, failed)

    def lost_peer(self, rules: Sequence[Rule], rank: int) -> bool:
        """Return whether a rank's output shows that its connection to another rank broke."""
        if rank not in self._tails:
            return False
        found = diagnose([Output(self._text(rank), self._contexts[rank], rank)], rules, rank).found
        return found is not None and found.lost_peer

    def exception(self, rank: int | None) -> str:
        """Return the exception that a rank's output ends with; empty without one."""
        return exception_of(self._text(rank)) if rank is not None and rank in self._tails else ""

    def last_line(self, rank: int) -> str:
        """Return the last line that a rank printed: that of ``sys.exit("no data")``, or of argparse."""
        lines = (line.strip() for line in reversed(self._text(rank).splitlines()))
        return next((line for line in lines if line), "")

    def _text(self, rank: int) -> str:
        return self._tails.get(rank, b"")[-KEPT:].decode("utf-8", "replace")
