"""The end of every rank's output, and what it says about a failure."""

from __future__ import annotations

from collections.abc import Sequence

from fleet.diagnose.exceptions import exception_of
from fleet.diagnose.signatures import Diagnosis, Signature, first_match
from fleet.events import LogChunk

#: Bytes kept of each rank: a traceback of every rank's every thread fits.
KEPT = 1 << 16


class LogTails:
    """Collects LogChunks; ask it once the run has failed."""

    def __init__(self) -> None:
        self._tails: dict[int, bytearray] = {}

    def add(self, chunk: LogChunk) -> None:
        """Take a piece of a rank's output."""
        tail = self._tails.setdefault(chunk.rank, bytearray())
        tail += chunk.data
        if len(tail) > 2 * KEPT:
            del tail[:-KEPT]

    def diagnose(self, signatures: Sequence[Signature], failed: int | None) -> Diagnosis | None:
        """Return what the output says; ``failed`` is the rank that ended first, if one did.

        The failed rank's own words count most, then root causes that other ranks tell (a rank often dies
        because of another that still runs), and last the mere consequences. Of those only its own, if one
        failed first: what others tell is that it went away.
        """
        order = sorted(self._tails, key=lambda rank: (rank != failed, rank))
        own = [rank for rank in order if failed in (None, rank)]
        for ranks, consequences in ((order, False), (own, True)):
            for rank in ranks:
                found = first_match(signatures, self._text(rank), consequences=consequences)
                if found is not None:
                    return found
        return None

    def exception(self, rank: int | None) -> str:
        """Return the exception that a rank's output ends with; empty when it tells of none."""
        return exception_of(self._text(rank)) if rank is not None and rank in self._tails else ""

    def _text(self, rank: int) -> str:
        return self._tails[rank][-KEPT:].decode("utf-8", "replace")
