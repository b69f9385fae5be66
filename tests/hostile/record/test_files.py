"""Damaged and hostile files in a run's record: a Notice, bounded memory, and the rest."""

from __future__ import annotations

import gzip
import json
import random
import subprocess
import sys
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fleet.event_json import to_json
from fleet.events import LogChunk, Notice, RankStarted, RunFinished
from fleet.runs import find_runs
from fleet.runs.record.limits import LINE_BYTES, SEGMENT_BYTES, RecordLimits
from fleet.runs.recorder import Recorder
from fleet.runs.store import RunStore
from tests.hostile.planted import PLANTS
from tests.hostile.targets.record import SEEDS, TARGETS
from tests.runs.fleets import inventory, of, plan_of
from tests.support.memory import Allocations

STARTED = RankStarted(run="run-1", rank=0, pid=1)
ENDED = RunFinished(run="run-1", outcome="succeeded")
#: Eight segments of about ten chunks each.
LIMITS = RecordLimits(segment=10_000)


def chunk(number: int) -> LogChunk:
    data = random.Random(number).randbytes(1000)
    return LogChunk(node="gpu0", run="run-1", rank=0, offset=number * 1000, data=data)


@pytest.fixture
def store(tmp_path: Path) -> RunStore:
    store = RunStore(tmp_path / "home", "run-1")
    store.create(plan_of(inventory(tmp_path, "", master=1)))
    with Recorder(store, LIMITS) as recorder:
        for event in (STARTED, *map(chunk, range(80)), ENDED):
            recorder.write(event)
    return store


def bomb(size: int) -> bytes:
    machine = zlib.compressobj(9, zlib.DEFLATED, 31)
    pieces = [machine.compress(bytes(1 << 20)) for _ in range(size >> 20)]
    return b"".join(pieces) + machine.flush()


def entry(**fields: object) -> bytes:
    header = {"position": 0, "size": 1, **fields}
    return b'{"dtui":"output","format":1,"run":"r"}\n' + json.dumps(header).encode() + b"\nx"


DAMAGE: dict[str, Callable[[bytes], bytes]] = {
    "nothing left": lambda data: b"",
    "not gzip": lambda data: b"x" * len(data),
    "a bit of it turned": lambda data: data[:2000] + bytes([data[2000] ^ 8]) + data[2001:],
    "cut short": lambda data: data[: len(data) // 2],
    "something behind it": lambda data: data + b"more",
    "a decompression bomb": lambda data: bomb(1 << 30),
    "a bomb after a good start": lambda data: gzip.compress(entry()[:-2]) + bomb(1 << 28),
    "endless empty blocks": lambda data: data[:10] + b"\x00\x00\x00\xff\xff" * 3_000_000,
    "an entry without a header": lambda data: gzip.compress(b'{"dtui":"output","format":1}\n' + b"x" * 9000),
    "a header without an end": lambda data: gzip.compress(b"{" * 5_000_000),
    "a nested header": lambda data: gzip.compress(b'{"dtui":"output","format":1}\n' + b"[" * 4000 + b"\n"),
    "a negative size": lambda data: gzip.compress(entry(size=-1)),
    "a huge size": lambda data: gzip.compress(entry(size=1 << 40)),
    "a huge number": lambda data: gzip.compress(entry(offset=10**4000)),
    "a negative offset": lambda data: gzip.compress(entry(offset=-5)),
    "a rank of another type": lambda data: gzip.compress(entry(rank="0")),
    "an unknown kind": lambda data: gzip.compress(entry(kind="code")),
    "an event that is none": lambda data: gzip.compress(entry(kind="event")),
    "a newer format": lambda data: gzip.compress(b'{"dtui":"output","format":2}\n'),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_segment_costs_no_more_than_itself(store: RunStore, damage: str) -> None:
    segment = store.output.segment(4)
    before = [event for event in store.events() if isinstance(event, LogChunk)]
    segment.write_bytes(DAMAGE[damage](segment.read_bytes()))
    with Allocations() as memory:
        events = list(store.events())
    assert memory.peak < 8 * SEGMENT_BYTES
    assert (events[0], events[-1]) == (STARTED, ENDED)
    notices = of(events, Notice)
    assert len(notices) <= 3
    chunks = [event for event in of(events, LogChunk) if event in before]
    assert len(chunks) >= 69, "the other segments are whole"
    gaps = [notice.text for notice in notices if "bytes not recorded" in notice.text]
    if damage != "something behind it":
        assert len(gaps) == 1, notices
    if damage not in ("nothing left", "cut short"):
        assert any("damaged" in notice.text or "not an event" in notice.text for notice in notices)


def test_a_segment_that_vanishes_leaves_a_gap_that_is_reported(store: RunStore) -> None:
    store.output.segment(3).unlink()
    events = list(store.events())
    (gap,) = of(events, Notice)
    assert "bytes not recorded" in gap.text
    sizes = sum(len(event.data) for event in of(events, LogChunk))
    assert f": {80_000 - sizes} bytes not recorded" in gap.text


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b'{"until":-1}', b"[" * 100_000, b'{"until":1e999}', b"\xff" * 99]
)
def test_a_damaged_note_of_what_was_dropped_is_reported(store: RunStore, content: bytes) -> None:
    (store.output.path / "dropped.json").write_bytes(content)
    events = list(store.events())
    assert [event for event in events if not isinstance(event, Notice)] == [
        STARTED,
        *map(chunk, range(80)),
        ENDED,
    ]
    assert [
        notice.text.startswith("recorded output dropped.json is damaged") for notice in of(events, Notice)
    ] == [True]


LINES = {
    "nested lists": b"[" * 100_000,
    "nested objects": b'{"event":' * 50_000,
    "an event of wrong types": b'{"event":"RunPlanned","run":1,"ranks":[7]}',
    "bytes that are not base64": b'{"event":"LogChunk","data":{"base64":"a"},"run":"r","rank":0,"offset":0}',
    "a huge number": b'{"event":"RankStarted","run":"r","rank":' + b"9" * 5000 + b',"pid":1}',
    "half a character": b'{"event":"Notice","level":"\\ud800","text":7}',
    "a list for a name": b'{"event":[]}',
    "no JSON": b"\x00\xff\xfe",
    "nothing": b"",
}


@pytest.mark.parametrize("line", LINES)
def test_a_line_that_is_no_event_does_not_stop_the_others(store: RunStore, line: str) -> None:
    text = store.events_file.read_bytes().splitlines(keepends=True)
    store.events_file.write_bytes(b"".join([text[0], LINES[line] + b"\n", *text[1:]]))
    events = list(store.events())
    assert ENDED in events
    assert STARTED in events
    summaries = find_runs(store.home)
    assert [summary.finished for summary in summaries] == [ENDED]


def test_many_lines_that_are_no_events_are_summed_up(store: RunStore) -> None:
    text = store.events_file.read_bytes()
    store.events_file.write_bytes(text + b"no event\n" * 50_000)
    notices = of(store.events(), Notice)
    assert len(notices) == 21
    assert notices[-1].text == "events.jsonl: 49980 further lines cannot be read"


def test_a_line_without_end_costs_no_memory(store: RunStore) -> None:
    with store.events_file.open("ab") as file:
        for _ in range(200):
            file.write(b"x" * (1 << 20))
        file.write(b"\n" + to_json(STARTED).encode() + b"\n")
    with Allocations() as memory:
        events = list(store.events())
    assert events[-1] == STARTED
    assert memory.peak < 4 * LINE_BYTES


@pytest.mark.parametrize(
    "content", ["", "[", "null", "7", "[]", "{}", '{"nodes": 7}', "[" * 100_000, "\x00"], ids=range(9)
)
def test_a_damaged_plan_leaves_out_its_run_and_no_other(
    store: RunStore, tmp_path: Path, content: str
) -> None:
    other = RunStore(store.home, "run-2")
    (tmp_path / "other").mkdir()
    other.create(plan_of(inventory(tmp_path / "other", "", master=1), "run-2"))
    (store.folder / "plan.json").write_text(content)
    assert [summary.run for summary in find_runs(store.home)] == ["run-2"]


def mutated() -> st.SearchStrategy[bytes]:
    """Real content with pieces of it cut out, doubled or replaced by any bytes."""
    pieces = st.sampled_from(SEEDS).flatmap(
        lambda data: st.tuples(
            st.integers(0, len(data)), st.integers(0, len(data)), st.binary(max_size=20)
        ).map(lambda cut: data[: cut[0]] + cut[2] + data[cut[1] :])
    )
    return st.one_of(st.binary(max_size=300), pieces)


@pytest.mark.parametrize("name", TARGETS)
@given(data=mutated())
@settings(max_examples=60, deadline=None)
def test_no_bytes_make_a_target_fail(name: str, data: bytes) -> None:
    TARGETS[name](data)


@pytest.mark.parametrize("name", TARGETS)
def test_the_corpus_itself_passes(name: str) -> None:
    for data in SEEDS:
        TARGETS[name](data)


READ = """
import shutil, sys
from pathlib import Path
from fleet.errors import FleetError
from fleet.runs import find_runs
from fleet.runs.recorder import Recorder
from fleet.runs.store import RunStore
from fleet.telemetry.history import read_history
from fleet.telemetry.tally import read_tallies
from tests.hostile import planted
kept, plant, *names = sys.argv[1:]
for name in names:
    home = Path(kept).with_name("hostile")
    shutil.copytree(kept, home)
    store = RunStore(home, "run-1")
    path = store.folder / name
    if path.is_dir():
        shutil.rmtree(path)
    path.unlink(missing_ok=True)
    getattr(planted, plant)(path)
    print(name, len(find_runs(home)), sum(1 for _ in store.events()), flush=True)
    store.origin(), store.first_event(), read_tallies(store.folder), read_history(store.folder, "gpu0")
    try:
        with Recorder(store):
            pass
    except (OSError, FleetError):
        pass
    shutil.rmtree(home)
# Not getrusage's: on Linux that includes the memory of the process which started this one.
print(int(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0]) >> 10)
"""
FILES = (
    "plan.json", "origin.json", "events.jsonl", "recorder.lock", "output", "output/000001.gz",
    "telemetry/tally.json", "telemetry/gpu0.tel",
)  # fmt: skip


@pytest.mark.needs("posix")
@pytest.mark.parametrize("plant", PLANTS)
def test_a_program_on_the_master_cannot_block_the_reading_of_runs(
    plant: Callable[[Path], None], store: RunStore
) -> None:
    """Each file of a record is replaced: a FIFO, a device or gigabytes cost that file only."""
    (store.folder / "telemetry").mkdir()
    command = [sys.executable, "-c", READ, str(store.home), plant.__name__, *FILES]
    done = subprocess.run(command, capture_output=True, text=True, timeout=90, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    *lines, memory = done.stdout.splitlines()
    found = {name: (int(runs), int(events)) for name, runs, events in map(str.split, lines)}
    assert found.pop("plan.json")[0] == 0
    assert all(runs == 1 for runs, _ in found.values()), found
    # Without the output two lifecycle events are left, without these 80 chunks.
    assert all(events >= 2 for _, events in found.values()), found
    assert int(memory) < 300
