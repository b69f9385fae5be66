"""A run's record: what is kept for ever, what is dropped first, and how a gap shows."""

from __future__ import annotations

import gzip
import itertools
import os
import random
import stat
from pathlib import Path

import pytest

from fleet.event_json import to_json
from fleet.events import Event, LogChunk, MetricsSeen, Notice, RankPhase, RankStarted, RunFinished
from fleet.logbook import RankLog
from fleet.metrics_record import MetricsRecord
from fleet.runs import find_runs, replay
from fleet.runs.progress import Progress
from fleet.runs.record.limits import SEGMENT_BYTES, RecordLimits
from fleet.runs.record.thinning import StepThinning
from fleet.runs.recorder import Recorder
from fleet.runs.store import RunStore
from tests.runs.fleets import inventory, of, plan_of

SMALL = RecordLimits(output=20_000, segment=8_000, flush=0.0)


@pytest.fixture
def store(tmp_path: Path) -> RunStore:
    store = RunStore(tmp_path / "home", "run-1")
    store.create(plan_of(inventory(tmp_path, "", master=1, gpu1=1)))
    return store


def chunk(rank: int, offset: int, data: bytes, at: float = 0.0) -> LogChunk:
    return LogChunk(node=f"gpu{rank}", run="run-1", rank=rank, offset=offset, data=data, at=at)


def step(number: int, rank: int = 0) -> MetricsSeen:
    record = MetricsRecord(kind="step", step=number, numbers={})
    return MetricsSeen(node="gpu", run="run-1", rank=rank, record=record, end=300 * (number + 1))


def noise(number: int, size: int = 1000) -> bytes:
    """Bytes that do not compress."""
    return random.Random(number).randbytes(size)


def write(store: RunStore, *events: Event, limits: RecordLimits | None = None) -> None:
    with Recorder(store, limits) as recorder:
        for event in events:
            assert recorder.write(event) is None


def progress_of(store: RunStore) -> Progress:
    progress = Progress()
    for event in store.events():
        progress.add(event)
    return progress


def test_output_is_compressed_and_lifecycle_events_stay_lines(store: RunStore) -> None:
    line = b"2026-03-14 15:09:26 INFO step 1200 loss 2.31 lr 0.0003\n"
    write(
        store, RankStarted(run="run-1", rank=0, pid=1), *(chunk(0, n * 5500, line * 100) for n in range(100))
    )
    (segment,) = store.output.path.iterdir()
    assert segment.name == "000001.gz"
    assert segment.stat().st_size < 550_000 / 20
    text = store.events_file.read_text()
    assert text.splitlines()[0] == '{"dtui":"events","format":3}'
    assert "LogChunk" not in text
    assert line * 100 in gzip.decompress(segment.read_bytes()), "any gzip reader shows it"


def test_events_and_output_are_read_in_the_order_in_which_they_were_written(store: RunStore) -> None:
    events: list[Event] = []
    offsets = [0, 0]
    chance = random.Random(7)
    for number in range(2000):
        if chance.random() < 0.2:
            events.append(RankPhase(run="run-1", rank=0, phase=f"p{number}"))
        elif chance.random() < 0.2:
            events.append(step(number))
        else:
            rank = chance.randrange(2)
            data = chance.randbytes(chance.randrange(1, 200))
            events.append(chunk(rank, offsets[rank], data, at=float(number)))
            offsets[rank] += len(data)
    events.append(RunFinished(run="run-1", outcome="succeeded"))
    limits = RecordLimits(segment=10_000, steps=2)
    for start in range(0, len(events), 333):  # several consoles, one after another
        write(store, *events[start : start + 333], limits=limits)
    assert list(store.events()) == events
    assert len(store.output.numbers()) > 10
    finished = find_runs(store.home)[0].finished
    assert finished == events[-1]


def test_the_oldest_output_is_dropped_and_the_gap_is_reported_with_rank_and_bytes(store: RunStore) -> None:
    started = RankStarted(run="run-1", rank=0, pid=1)
    phase = RankPhase(run="run-1", rank=0, phase="training")
    write(store, started, chunk(1, 0, b"only once\n"), limits=SMALL)
    flood = [chunk(0, n * 1000, noise(n), at=float(n)) for n in range(100)]
    write(store, *flood[:50], phase, *flood[50:], limits=SMALL)
    assert sum(file.stat().st_size for file in store.output.path.iterdir()) < 2 * SMALL.output
    events = list(store.events())
    assert events[0] == started
    assert phase in events, "lifecycle events are never dropped"
    told = of(events, Notice)
    kept = [event for event in of(events, LogChunk) if event.data]
    start = kept[0].offset
    assert kept == flood[start // 1000 :]
    assert {(notice.node, notice.text) for notice in told} == {
        ("gpu0", f"rank 0: {start} bytes not recorded (bytes 0 to {start} of its output)"),
        ("gpu1", "rank 1: 10 bytes not recorded (bytes 0 to 10 of its output)"),
    }
    # The next console reads on at the exact byte, also of a rank of which nothing is left.
    assert progress_of(store).log_ends == {0: 100_000, 1: 10}
    log = RankLog(0)
    for event in of(events, LogChunk):
        if event.rank == 0:
            log.feed(event.offset, event.data, event.at)
    assert log.missing == start
    assert log.read(0, 1)[0].text == f"[dtui: {start} bytes not recorded]"


def test_what_was_dropped_stays_known_when_more_is_dropped(store: RunStore) -> None:
    for begin in range(0, 300_000, 50_000):
        write(store, *(chunk(0, begin + n * 1000, noise(n)) for n in range(50)), limits=SMALL)
        assert progress_of(store).log_ends == {0: begin + 50_000}
    assert len(of(store.events(), Notice)) == 1


def test_a_console_that_is_killed_loses_only_what_was_not_flushed(store: RunStore) -> None:
    recorder = Recorder(store, RecordLimits(flush=0.0))
    recorder.__enter__()
    for number in range(10):
        recorder.write(chunk(0, number * 5, b"line\n"))
    # A copy of the files is what a killed process leaves.
    (segment,) = store.output.path.iterdir()
    left = segment.read_bytes()
    recorder.__exit__()
    for cut in range(len(left)):
        segment.write_bytes(left[:cut])
        events = list(store.events())
        assert events == [chunk(0, n * 5, b"line\n") for n in range(len(events))]
    segment.write_bytes(left)
    write(store, chunk(0, 50, b"next\n"))
    assert [segment.name for segment in sorted(store.output.path.iterdir())] == ["000001.gz", "000002.gz"]
    assert b"".join(event.data for event in of(store.events(), LogChunk)) == b"line\n" * 10 + b"next\n"


def test_a_step_record_on_disk_never_stands_before_a_lost_one(store: RunStore) -> None:
    recorder = Recorder(store, RecordLimits(steps=2, flush=3600.0))
    recorder.__enter__()
    events: list[Event] = [step(number) for number in range(500)]
    for number, event in enumerate(events):
        recorder.write(event)
        if number % 50 == 0:
            known = list(store.events())
            assert known == events[: len(known)]
    recorder.__exit__()
    assert list(store.events()) == events


def test_a_recording_of_the_first_format_is_read_and_continued(store: RunStore) -> None:
    old: list[Event] = [
        RankStarted(run="run-1", rank=0, pid=1),
        chunk(0, 0, b"a"),
        chunk(0, 1, b"b"),
        step(1),
    ]
    store.events_file.write_text("".join(to_json(event) + "\n" for event in old))
    assert list(store.events()) == old
    new: list[Event] = [chunk(0, 2, b"c"), RunFinished(run="run-1", outcome="succeeded")]
    write(store, *new)
    assert list(store.events()) == old + new
    assert "dtui" not in store.events_file.read_text()


def test_a_newer_format_is_named(store: RunStore) -> None:
    store.events_file.write_text('{"dtui":"events","format":99}\n' + to_json(step(1)) + "\n")
    first, second = store.events()
    assert isinstance(first, Notice)
    assert first.text == "events.jsonl has format 99, which a newer dtui wrote"
    assert second == step(1)


def test_step_records_are_thinned_and_the_others_are_not(store: RunStore) -> None:
    limits = RecordLimits(steps=200)
    checkpoint = MetricsSeen(
        run="run-1", rank=0, record=MetricsRecord(kind="ckpt", path="x", numbers={}), end=7
    )
    events = [
        event for number in range(20_000) for event in ([step(number)] + [checkpoint] * (number % 5000 == 9))
    ]
    write(store, *events, limits=limits)
    kept = of(replay(store.events_file, newest=0), MetricsSeen)
    steps = [event.record.step for event in kept if event.record.kind == "step"]
    assert steps[:50] == list(range(50)), "the beginning is kept whole"
    assert 500 < len(steps) < 1500
    assert max(later - sooner for sooner, later in itertools.pairwise(steps)) < 20_000 / 50
    assert kept.count(checkpoint) == 4
    assert list(store.events()) == events, "all are there as long as the output is"


def test_what_is_kept_of_the_steps_grows_with_the_logarithm_of_their_number() -> None:
    thinning = StepThinning(100)
    counts = []
    kept = 0
    for number in range(1, 1 << 17):
        kept += thinning.keeps(step(number))
        if number & (number - 1) == 0:
            counts.append(kept)
    growth = [later - sooner for sooner, later in zip(counts[-8:], counts[-7:], strict=False)]
    assert all(90 <= each <= 110 for each in growth), growth


def test_a_program_that_reports_without_end_does_not_fill_the_lifecycle_events(store: RunStore) -> None:
    phases = [
        MetricsSeen(
            run="run-1", rank=0, record=MetricsRecord(kind="phase", phase="x" * 100, numbers={}), end=n
        )
        for n in range(1000)
    ]
    limits = RecordLimits(events=10_000, output=4_000, segment=10_000)
    with Recorder(store, limits) as recorder:
        notices = [notice for event in phases if (notice := recorder.write(event))]
        notices += [
            notice for n in range(1000) if (notice := recorder.write(RankPhase(run="r", rank=0, phase="x")))
        ]
        recorder.write(RunFinished(run="run-1", outcome="failed"))
    assert [notice.level for notice in notices] == ["warning"]
    assert store.events_file.stat().st_size < 12_000
    assert isinstance(list(store.events())[-1], RunFinished)


def test_a_summary_reads_no_log_and_a_screen_reads_the_newest(store: RunStore) -> None:
    events: list[Event] = []
    for number in range(60):
        events += [chunk(0, number * 4000, noise(number, 4000)), step(number)]
    write(store, *events, limits=RecordLimits(segment=4000, steps=1))
    assert of(store.summary(), LogChunk) == []
    assert of(store.summary(), MetricsSeen)[-4:] == [step(number) for number in range(56, 60)]
    shown = of(store.shown_events(), LogChunk)
    assert 20 < len(shown) < 60
    assert shown == of(events, LogChunk)[-len(shown) :]
    assert of(store.shown_events(), Notice) == []


@pytest.mark.needs("posix")
def test_only_the_owner_can_read_the_record(store: RunStore) -> None:
    before = os.umask(0o022)
    try:
        write(store, *(chunk(0, n * 1000, noise(n)) for n in range(60)), limits=SMALL)
    finally:
        os.umask(before)
    files = [store.events_file, store.folder / "recorder.lock", *store.output.path.iterdir()]
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}
    assert stat.S_IMODE(store.output.path.stat().st_mode) == 0o700


def test_a_large_chunk_is_kept_in_several_entries(store: RunStore) -> None:
    data = bytes(3_000_000)
    write(store, chunk(0, 0, data))
    assert b"".join(event.data for event in of(store.events(), LogChunk)) == data
    assert len(data) < SEGMENT_BYTES
