"""The training program's own records, ``logs/metrics_<run>_rank<r>.jsonl``, read as they are written."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

#: A longer line is no record; it is left out.
_LONGEST = 1 << 20


def metrics_file(run: str, rank: int) -> str:
    """Return the file's path below the project."""
    return f"logs/metrics_{run}_rank{rank}.jsonl"


class MetricsReader:
    """Cuts a file that arrives in pieces into records, beginning at byte ``end``."""

    def __init__(self, end: int = 0) -> None:
        #: Where the last whole line ends.
        self.end = end
        self._rest = bytearray()

    @property
    def offset(self) -> int:
        """Where the next piece has to begin."""
        return self.end + len(self._rest)

    def feed(self, data: bytes) -> Iterator[tuple[dict[str, Any], int]]:
        """Yield each record that ``data`` completes, with the byte where it ends.

        Lines that are not a JSON object are left out: they are the program's business.
        """
        self._rest += data
        begin = 0
        while (at := self._rest.find(b"\n", begin)) >= 0:
            line, begin = bytes(self._rest[begin : at + 1]), at + 1
            self.end += len(line)
            record = _record(line)
            if record is not None:
                yield record, self.end
        del self._rest[:begin]
        if len(self._rest) > _LONGEST:
            self.end += len(self._rest)
            self._rest.clear()


def _record(line: bytes) -> dict[str, Any] | None:
    try:
        value = json.loads(line)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None
