"""Fuzz targets of the run record: each takes any bytes and raises only when dtui has a fault.

``TARGETS`` names them for the fuzzer; the tests in tests/hostile/record call them with hypothesis.
"""

from __future__ import annotations

import gzip
import random
import tempfile
import zlib
from collections.abc import Callable
from pathlib import Path

from fleet.event_json import to_json
from fleet.events import Event, LogChunk, MetricsSeen, RankStarted, RunFinished
from fleet.runs.metrics import LONGEST_LINE, MetricsReader
from fleet.runs.progress import Progress
from fleet.runs.record.folder import Dropped, OutputFolder, Unreadable
from fleet.runs.record.lifecycle import FIRST_LINE
from fleet.runs.record.limits import ENTRY_BYTES, SEGMENT_BYTES
from fleet.runs.record.replay import replay
from fleet.runs.record.segment import SegmentDamaged, parse, read_segment

_START = b'{"dtui":"output","format":1,"run":"r"}\n'


def events_file(data: bytes) -> None:
    """Lines of ``events.jsonl``, with and without its first line."""
    for content in (data, FIRST_LINE + data):
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "events.jsonl"
            file.write_bytes(content)
            _use(list(replay(file)))


def segment_file(data: bytes) -> None:
    """A segment as it lies on the disk: bytes that need not even be gzip."""
    _read_segment(data)


def segment_content(data: bytes) -> None:
    """What a segment has inside, compressed and cut at every power of two."""
    packed = gzip.compress(_START + data, 1)
    _read_segment(packed)
    size = 1
    while size < len(packed):
        _read_segment(packed[:size])
        size *= 2


def segment_entries(data: bytes) -> None:
    """Decompressed bytes in pieces: the result does not depend on where they are cut."""
    whole = _entries([_START + data])
    content = _START + data
    for step in (1, 7, 100):
        pieces = [content[at : at + step] for at in range(0, len(content), step)]
        assert _entries(pieces) == whole


def dropped_file(data: bytes) -> None:
    """The file that says what was dropped."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "dropped.json").write_bytes(data)
        found = OutputFolder(Path(folder)).dropped()
        assert isinstance(found, Dropped | Unreadable)
        list(OutputFolder(Path(folder)).read())


def metrics_lines(data: bytes) -> None:
    """A program's metrics file: bounded memory, every byte counted, and records that can be stored."""
    whole = MetricsReader()
    records = list(whole.feed(data))
    for step in (1, 13, 4096):
        reader = MetricsReader()
        found = []
        for at in range(0, len(data), step):
            found += list(reader.feed(data[at : at + step]))
            assert reader.offset == min(len(data), at + step)
            assert len(reader._rest) <= LONGEST_LINE
        assert repr(found) == repr(records)
        assert (reader.end, reader.left_out) == (whole.end, whole.left_out)
    for record, end in records:
        to_json(MetricsSeen(run="r", rank=0, record=record, end=end)).encode("utf-8")


TARGETS: dict[str, Callable[[bytes], None]] = {
    "record.events_file": events_file,
    "record.segment_file": segment_file,
    "record.segment_content": segment_content,
    "record.segment_entries": segment_entries,
    "record.dropped_file": dropped_file,
    "record.metrics_lines": metrics_lines,
}


def _use(events: list[Event]) -> None:
    """Do what a console does with recorded events first."""
    progress = Progress()
    for event in events:
        if isinstance(event, LogChunk) and not isinstance(event.data, bytes):
            continue  # an event of wrong types: the decoder's matter
        progress.add(event)


def _entries(pieces: list[bytes]) -> list[object]:
    found: list[object] = []
    try:
        for entry, data in parse(iter(pieces)):
            assert len(data) == entry.size <= ENTRY_BYTES
            found.append((entry, data))
    except SegmentDamaged as error:
        found.append(str(error))
    return found


def _read_segment(content: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "000001.gz"
        path.write_bytes(content)
        total = 0
        try:
            for _, data in read_segment(path):
                total += len(data)
        except SegmentDamaged:
            pass
        assert total <= SEGMENT_BYTES


def _deflate(data: bytes) -> bytes:
    """Return ``data`` as a gzip stream that never ends, as a killed writer leaves it."""
    machine = zlib.compressobj(1, zlib.DEFLATED, 31)
    return machine.compress(data) + machine.flush(zlib.Z_SYNC_FLUSH)


def _seeds() -> tuple[bytes, ...]:
    output = random.Random(1).randbytes(1000)
    events: list[Event] = [
        RankStarted(run="run-1", rank=0, pid=1),
        LogChunk(node="gpu0", run="run-1", rank=0, offset=1000, data=output),
        RunFinished(run="run-1", outcome="succeeded"),
    ]
    lines = "".join(to_json(event) + "\n" for event in events).encode()
    entries = b"".join(
        b'{"position":%d,"size":3,"node":"gpu0","rank":%d,"offset":%d}\nabc' % (n, n % 2, 3 * n)
        for n in range(5)
    )
    metrics = (
        b'{"kind":"step","step":1,"loss":NaN}\n\n{"kind":"ckpt","path":"a/b"}\n' + b"x" * 70_000 + b"\n{}\n"
    )
    return (lines, entries, gzip.compress(entries), _deflate(entries), metrics, b'{"until":1,"ends":[]}')


#: Inputs to begin with.
SEEDS = _seeds()
