"""What is kept of a run: exact to the step, bounded, and readable after a crash."""

from __future__ import annotations

import csv
import io
import json
import struct
import zlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet.events import Notice, TelemetrySampled
from fleet.telemetry import History, TelemetryRecorder, export, read_history, recorded_nodes
from fleet.telemetry.blocks import pack_block, read_blocks
from fleet.telemetry.history import HistoryWriter
from fleet.telemetry.ring import Ring
from fleet.telemetry.series import row_of
from tests.telemetry.samples import GIB, gpu, sample

ROWS = st.lists(
    st.tuples(
        st.floats(1e9, 2e9),
        st.dictionaries(
            st.sampled_from(["cpu.util", "gpu0.util", "gpu0.power", "gpu11.memory_used"]),
            st.none() | st.integers(0, 1 << 40),
            max_size=4,
        ),
    ),
    min_size=1,
    max_size=20,
)


@given(ROWS)
def test_a_block_gives_back_its_samples_to_the_step(
    rows: list[tuple[float, dict[str, float | None]]],
) -> None:
    (back,) = read_blocks(pack_block(rows))
    assert [at for at, _ in back] == pytest.approx([at for at, _ in rows], abs=0.001)
    for (_, told), (_, row) in zip(back, rows, strict=True):
        for name, value in row.items():
            step = 1 << 20 if name.endswith("memory_used") else 1
            assert told[name] == (None if value is None else pytest.approx(value, abs=step * 0.51))


@given(st.binary(max_size=60), st.integers(0, 400))
def test_damage_costs_the_damaged_block_and_no_other(noise: bytes, cut: int) -> None:
    blocks = [pack_block([(1e9 + i, {"cpu.util": float(i)})]) for i in range(4)]
    damaged = blocks[1][: cut % len(blocks[1])] + noise
    found = [
        block[0][1]["cpu.util"] for block in read_blocks(blocks[0] + damaged + blocks[2] + blocks[3][:-1])
    ]
    assert found == [0.0, 2.0]


def fill(folder: Path, count: int, **options: int) -> None:
    writer = HistoryWriter(folder / "telemetry", "gpu1", **options)
    for second in range(count):
        writer.append(1e9 + second, sample(gpu(util=second % 100)))
    writer.flush()


def test_hours_are_kept_in_little_space_and_more_are_let_go(tmp_path: Path) -> None:
    fill(tmp_path, 5000, kept=1000, block=60)
    history = read_history(tmp_path, "gpu1")
    assert 1000 <= len(history.times) <= 2120
    assert history.times[-1] == 1e9 + 4999
    assert list(history.series["gpu0.util"]) == [t % 100 for t in range(5000 - len(history.times), 5000)]
    size = sum(file.stat().st_size for file in (tmp_path / "telemetry").iterdir())
    assert size / len(history.times) < 20, "bytes a sample"


def test_a_second_console_goes_on_where_the_first_was_killed(tmp_path: Path) -> None:
    fill(tmp_path, 100)
    (file,) = (tmp_path / "telemetry").iterdir()
    file.write_bytes(file.read_bytes()[:-3])  # killed within its last block
    fill(tmp_path, 10)
    assert len(read_history(tmp_path, "gpu1").times) == 60 + 10


def test_the_recorder_takes_samples_of_all_nodes_and_nothing_else(tmp_path: Path) -> None:
    with TelemetryRecorder(tmp_path) as recorder:
        for second in range(3):
            for node in ("gpu1", "gpu-2.lab"):
                recorder.add(TelemetrySampled(node=node, at=1e9 + second, sample=sample(gpu())))
            recorder.add(Notice(level="info", text="no sample"))
    assert recorded_nodes(tmp_path) == ("gpu-2.lab", "gpu1")
    assert len(read_history(tmp_path, "gpu-2.lab").times) == 3


@pytest.mark.parametrize("name", ["../gpu1", "a/b", "", ".x", "a\\b"])
def test_a_nodes_name_is_no_path(tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError, match="not a node's name"):
        read_history(tmp_path, name)


def test_a_run_without_telemetry_has_an_empty_history(tmp_path: Path) -> None:
    assert recorded_nodes(tmp_path) == ()
    history = read_history(tmp_path, "gpu1")
    assert history.times == ()
    assert history.window("gpu0.util", 0, 10, 4) == [None] * 4


def test_a_window_tells_lowest_mean_and_highest_and_its_gaps(tmp_path: Path) -> None:
    fill(tmp_path, 100)
    history = read_history(tmp_path, "gpu1")
    first, second, beyond = history.window("gpu0.util", 1e9 + 50, 1e9 + 150, 4)[:3]
    assert first is not None
    assert (first.start, first.low, first.mean, first.high) == (1e9 + 50, 50, 62, 74)
    assert second is not None
    assert second.high == 99
    assert beyond is None


def test_a_hung_driver_is_a_gap_and_not_a_steady_load() -> None:
    row = row_of(sample(gpu(util=97), stale=True))
    assert row["gpu0.util"] is None
    assert row["stale"] == 1
    assert row["ram.used"] == 8 * GIB


def test_only_the_columns_that_are_wanted_are_read(tmp_path: Path) -> None:
    fill(tmp_path, 100)
    history = read_history(tmp_path, "gpu1", lambda name: name.endswith(".util"))
    whole = read_history(tmp_path, "gpu1")
    assert set(history.series) == {"gpu0.util", "cpu.util"}
    assert history.times == whole.times
    assert history.series["gpu0.util"] == whole.series["gpu0.util"]


def test_a_block_of_an_earlier_version_is_read_too() -> None:
    block = pack_block([(1e9 + i, {"a.util": 1.0 * i, "cpu.util": 2.0 * i}) for i in range(3)])
    (head, columns) = zlib.decompress(block[12:]).split(b"\n", 1)
    older = {key: value for key, value in json.loads(head).items() if key != "sizes"}
    packed = zlib.compress(json.dumps(older).encode() + b"\n" + columns)
    file = b"DTB1" + struct.pack(">II", len(packed), zlib.crc32(packed)) + packed
    (rows,) = read_blocks(file, lambda name: name == "cpu.util")
    assert [row for _, row in rows] == [{"cpu.util": 0.0}, {"cpu.util": 2.0}, {"cpu.util": 4.0}]


def test_what_is_kept_and_what_came_since_are_one_history() -> None:
    kept = History((1.0, 2.0), {"cpu.util": (10, 20)})
    live = History((2.0, 3.0), {"cpu.util": (20, 30), "gpu0.util": (5, 6)})
    both = kept.then(live)
    assert both.times == (1.0, 2.0, 3.0)
    assert both.series == {"cpu.util": (10, 20, 30), "gpu0.util": (None, None, 6)}
    assert History().then(live) == live
    assert kept.then(History()) == kept


def test_the_newest_samples_stay_in_memory_and_the_oldest_go() -> None:
    ring = Ring(kept=100)
    for second in range(1000):
        gpus = [gpu(0, util=second % 100)] + ([gpu(1, util=7)] if second >= 950 else [])
        ring.add(TelemetrySampled(node="gpu1", at=float(second), sample=sample(*gpus)))
    history = ring.history("gpu1", lambda name: name.startswith("gpu"))
    assert 100 <= len(history.times) <= 125
    assert history.times[-1] == 999.0
    assert history.series["gpu0.util"][-3:] == (97.0, 98.0, 99.0)
    assert history.series["gpu1.util"][-50:] == (7.0,) * 50
    assert set(history.series["gpu1.util"][:-50]) == {None}
    assert ring.history("gpu1", lambda name: name == "cpu.util", after=997.0).times == (998.0, 999.0)
    assert ring.history("gpu2", lambda _: True).times == ()


def test_export_to_a_table_and_to_json_tells_the_same(tmp_path: Path) -> None:
    fill(tmp_path, 5)
    table, lines = io.StringIO(), io.StringIO()
    assert export(tmp_path, table, "csv") == export(tmp_path, lines, "json") == 5
    rows = list(csv.DictReader(io.StringIO(table.getvalue())))
    records = [json.loads(line) for line in lines.getvalue().splitlines()]
    assert [row["gpu0.util"] for row in rows] == ["0", "1", "2", "3", "4"]
    assert rows[3]["iso"] == "2001-09-09T01:46:43.000+00:00"
    for row, record in zip(rows, records, strict=True):
        assert {key: "" if value is None else str(value) for key, value in record.items()} == row


def test_a_hostile_block_costs_itself_only() -> None:
    """A bomb, a false count, columns of another type: passed over, and the blocks around them are read."""
    good = pack_block([(1.0, {"cpu.util": 5.0})])
    bodies = [
        b"0" * (80 << 20),
        b'{"names": [], "steps": [], "count": 1000000000000, "sizes": []}\n',
        b'{"names": ["a"], "steps": ["x"], "count": 1, "sizes": [1]}\n\x02\x02',
        b'{"names": 5, "steps": [1], "count": 1}\n\x02\x02',
        b"[" * 100_000,
        b"\xff\n",
    ]
    hostile = b""
    for body in bodies:
        packed = zlib.compress(body, 1)
        hostile += struct.pack(">4sII", b"DTB1", len(packed), zlib.crc32(packed)) + packed
    assert list(read_blocks(good + hostile + good)) == [[(1.0, {"cpu.util": 5.0})]] * 2
