"""The training program's own records, ``logs/metrics_<run>_rank<r>.jsonl``, read as they are written.

Any program can write any bytes into that file. What is not an object of JSON, or longer than the limit, is
left out and counted, and costs no more memory than one line.
"""

from __future__ import annotations

import json
import posixpath
from collections.abc import Iterator

from agent.wire.message import message
from fleet.events import Notice
from fleet.metrics_record import MetricsRecord, parse_record

#: A longer line is not a record. The trainer's longest has 700 bytes.
LONGEST_LINE = 1 << 16


def metrics_file(run: str, rank: int, workdir: str = "") -> str:
    """Return the file's path below the project; the program writes it in its working folder."""
    return posixpath.join(workdir, f"logs/metrics_{run}_rank{rank}.jsonl")


class MetricsReader:
    """Cuts a file that arrives in pieces into records, beginning at byte ``end``."""

    def __init__(self, end: int = 0) -> None:
        #: Where the last whole line ends.
        self.end = end
        #: Lines that were left out because they are not records within the limits, and their bytes.
        self.left_out = 0
        self.left_out_bytes = 0
        self._rest = bytearray()
        #: Dropped bytes of the present line, because the line is too long.
        self._skipped = 0

    @property
    def offset(self) -> int:
        """The offset at which the next piece has to start."""
        return self.end + self._skipped + len(self._rest)

    def feed(self, data: bytes) -> Iterator[tuple[MetricsRecord, int]]:
        """Yield each record that ``data`` completes, with the byte where it ends."""
        begin = 0
        while (at := data.find(b"\n", begin)) >= 0:
            self._take(data[begin : at + 1])
            begin = at + 1
            record = _record(bytes(self._rest)) if not self._skipped else None
            length = self._skipped + len(self._rest)
            self.end += length
            blank = not self._skipped and self._rest.isspace()
            self._rest.clear()
            self._skipped = 0
            if record is not None:
                yield record, self.end
            elif not blank:
                self.left_out += 1
                self.left_out_bytes += length
        self._take(data[begin:])

    def _take(self, data: bytes) -> None:
        """Add to the present line; of one that is too long only the length is kept."""
        if self._skipped or len(self._rest) + len(data) > LONGEST_LINE:
            self._skipped += len(self._rest) + len(data)
            self._rest.clear()
        else:
            self._rest += data


def left_out_notice(node: str, at: float, file: str, reader: MetricsReader) -> Notice:
    """Return the warning for a program that wrote something that is not a record."""
    return Notice(
        node=node,
        at=at,
        level="warning",
        text=message(
            "record.metrics-skipped",
            "lines of {file} are not metrics records and are skipped (before byte {end})",
            file=file,
            end=reader.end,
        ),
        remedy=message(
            "record.metrics-skipped.remedy",
            "write one JSON object per line, of at most 64 KiB and without deep nesting",
        ),
    )


def _record(line: bytes) -> MetricsRecord | None:
    try:
        return parse_record(json.loads(line.decode("utf-8"), parse_int=_whole))
    except (ValueError, RecursionError):
        return None


def _whole(text: str) -> int | float:
    # A number of many digits would take quadratic time.
    return int(text) if len(text) <= 20 else float(text)
