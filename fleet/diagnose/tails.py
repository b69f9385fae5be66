"""The end of every rank's output, and the cause of a failure in it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from fleet.diagnose.context import Context
from fleet.diagnose.exceptions import exception_of
from fleet.diagnose.signatures import Diagnosis, Signature, first_match
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

    def diagnose(self, signatures: Sequence[Signature], failed: int | None) -> Diagnosis | None:
        """Return the cause in the output; ``failed`` is the rank that ended first, if one did.

        Root causes come first: those of the failed rank, then those of other ranks (a rank often ends because
        of another that still runs). Consequences come last, and only those of the failed rank, if there is
        one: the others report that the connection to it is lost.
        """
        order = sorted(self._tails, key=lambda rank: (rank != failed, rank))
        own = [rank for rank in order if failed in (None, rank)]
        for ranks, consequences in ((order, False), (own, True)):
            for rank in ranks:
                found = first_match(
                    signatures, self._text(rank), self._contexts[rank], consequences=consequences
                )
                if found is not None:
                    return found
        return None

    def lost_peer(self, signatures: Sequence[Signature], rank: int) -> bool:
        """Return whether a rank's output shows that its connection to another rank broke."""
        if rank not in self._tails:
            return False
        text, context = self._text(rank), self._contexts[rank]
        causes = [one for one in signatures if not one.lost_peer]
        if first_match(causes, text, context, consequences=False) is not None:
            return False
        return any(one.lost_peer and one.search(text, context) is not None for one in signatures)

    def exception(self, rank: int | None) -> str:
        """Return the exception that a rank's output ends with; empty without one."""
        return exception_of(self._text(rank)) if rank is not None and rank in self._tails else ""

    def last_line(self, rank: int) -> str:
        """Return the last line that a rank printed: that of ``sys.exit("no data")``, or of argparse."""
        lines = (
            line.strip() for line in reversed(self._text(rank).splitlines() if rank in self._tails else [])
        )
        return next((line for line in lines if line), "")

    def _text(self, rank: int) -> str:
        return self._tails[rank][-KEPT:].decode("utf-8", "replace")
