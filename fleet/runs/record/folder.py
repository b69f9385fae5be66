"""The folder of a run's recorded output: its segments in order, and what was dropped of it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from agent.wire.message import Message, message
from agent.wire.reasons import system_reason
from fleet.file_replacement import replace_file
from fleet.private_files import open_private
from fleet.runs.record.segment import Entry, Natural, SegmentDamaged, read_segment, too_large

FOLDER = "output"
FORMAT = 1
_DROPPED = "dropped.json"
#: A few dozen bytes per rank.
_DROPPED_BYTES = 4 << 20
_SEGMENT = re.compile(r"(\d{6,12})\.gz")


class RankEnd(Struct, frozen=True, kw_only=True):
    """Where the dropped output of a rank ended."""

    node: Annotated[str, Meta(max_length=256)]
    rank: Annotated[int, Meta(ge=0, le=(1 << 24))]
    end: Natural
    at: float


class Dropped(Struct, frozen=True, kw_only=True):
    """What was dropped: all segments up to number ``until``, in which each rank's output ended at ``ends``.

    ``position`` is that of the last entry dropped.
    """

    format: int = FORMAT
    until: Natural = 0
    position: Natural = 0
    ends: tuple[RankEnd, ...] = ()


class Unreadable(Struct, frozen=True):
    """A file of the folder that cannot be read, wholly or from some point on."""

    name: str
    reason: Message


class OutputFolder(Struct, frozen=True):
    """Names and contents of the files in ``path``, which may not exist."""

    path: Path

    def segment(self, number: int) -> Path:
        """Return the path of a segment."""
        return self.path / f"{number:06d}.gz"

    def numbers(self) -> list[int]:
        """Return the numbers of the segments there are, in order."""
        try:
            names = [file.name for file in self.path.iterdir()]
        except OSError:
            return []
        return sorted(int(match[1]) for name in names if (match := _SEGMENT.fullmatch(name)))

    def dropped(self) -> Dropped | Unreadable:
        """Return what was dropped so far."""
        file = self.path / _DROPPED
        try:
            with open_private(file, "rb") as opened:
                data = opened.read(_DROPPED_BYTES + 1)
        except FileNotFoundError:
            return Dropped()
        except OSError as error:
            return Unreadable(_DROPPED, system_reason(error))
        if len(data) > _DROPPED_BYTES:
            return Unreadable(_DROPPED, too_large(_DROPPED_BYTES))
        try:
            return msgspec.json.decode(data, type=Dropped)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            return Unreadable(_DROPPED, message("record.invalid-json", "it is not valid JSON of this format"))

    def drop(self, number: int) -> int:
        """Delete a segment after noting where each rank's output in it ended; return its size.

        Raises OSError.
        """
        before = self.dropped()
        known = before if isinstance(before, Dropped) else Dropped()
        ends = {end.rank: end for end in known.ends}
        position = known.position
        for item in self._read(number):
            if isinstance(item, Unreadable):
                continue
            entry, _ = item
            position = max(position, entry.position)
            if entry.kind == "log":
                ends[entry.rank] = RankEnd(
                    node=entry.node, rank=entry.rank, end=entry.offset + entry.size, at=entry.at
                )
        self._note(Dropped(until=number, position=position, ends=tuple(ends.values())))
        path = self.segment(number)
        size = path.stat().st_size
        path.unlink()
        return size

    def read(self, newest: int | None = None) -> Iterator[tuple[Entry, bytes] | Unreadable]:
        """Yield all entries in the order in which they were written.

        The first ones represent the dropped output: an empty one per rank, where that output ended.
        ``newest`` reads only this many segments, and no dropped ones.
        """
        numbers = self.numbers()
        if newest is not None:
            numbers = numbers[-newest:] if newest else []
        else:
            dropped = self.dropped()
            if isinstance(dropped, Unreadable):
                yield dropped
            else:
                numbers = [number for number in numbers if number > dropped.until]
                for end in dropped.ends:
                    yield (
                        Entry(
                            position=dropped.position,
                            size=0,
                            node=end.node,
                            at=end.at,
                            rank=end.rank,
                            offset=end.end,
                        ),
                        b"",
                    )
        for number in numbers:
            try:
                yield from self._read(number)
            except FileNotFoundError:
                # The recording console has dropped it meanwhile: continue after the gap.
                continue

    def _read(self, number: int) -> Iterator[tuple[Entry, bytes] | Unreadable]:
        path = self.segment(number)
        try:
            yield from read_segment(path)
        except SegmentDamaged as error:
            yield Unreadable(path.name, error.reason)
        except FileNotFoundError:
            raise
        except OSError as error:
            yield Unreadable(path.name, system_reason(error))

    def _note(self, dropped: Dropped) -> None:
        replace_file(self.path / _DROPPED, msgspec.json.encode(dropped))


__all__ = ["FOLDER", "Dropped", "OutputFolder", "RankEnd", "Unreadable"]
