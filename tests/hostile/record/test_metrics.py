"""What any program can write into its metrics file: bounded memory, no exception, and the next record."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

from fleet.event_json import from_json, to_json
from fleet.events import MetricsSeen, Notice
from fleet.runs import launch
from fleet.runs.metrics import LONGEST_LINE, MetricsReader
from tests.runs.fleets import collect, finish, fleet_of, inventory, of, plan_of, watched
from tests.support.memory import Allocations

GOOD = b'{"kind":"step","step":7}\n'

#: Lines that are not records, and lines whose keys or values are partly ignored.
LEFT_OUT = {
    "nested lists": b"[" * 50_000,
    "nested objects": b'{"a":' * 5000 + b"1" + b"}" * 5000,
    "a long line": b'{"a":"' + b"x" * LONGEST_LINE + b'"}',
    "no JSON": b"\xff\x00",
    "UTF-16": '{"kind":"step"}'.encode("utf-16"),
    "a list": b"[1]",
    "a number": b"7",
    "half a line of JSON": b'{"kind":"step","st',
}
TAKEN = {
    "objects in it": b'{"a":' * 50 + b"1" + b"}" * 50,
    "half a character in a phase": b'{"kind":"phase","phase":"\\ud800x"}',
    "half a character in a note": b'{"kind":"step","note":"\\ud800"}',
    "half a character in a name": b'{"\\udfff":1}',
    "a number of 5,000 digits": b'{"kind":"step","step":' + b"9" * 5000 + b"}",
    "a step that is a text": b'{"kind":"ckpt","step":"abc"}',
    "a kind that is a list": b'{"kind":[]}',
    "many values": json.dumps({str(n): n for n in range(2000)}).encode(),
}


@pytest.mark.parametrize("line", LEFT_OUT)
def test_a_line_that_is_no_record_is_left_out_and_counted(line: str) -> None:
    reader = MetricsReader()
    data = LEFT_OUT[line] + b"\n"
    assert [record.step for record, _ in reader.feed(data + GOOD)] == [7]
    assert (reader.left_out, reader.left_out_bytes) == (1, len(data))
    assert reader.end == len(data) + len(GOOD)


@pytest.mark.parametrize("line", TAKEN)
def test_what_a_record_can_not_have_is_ignored_and_the_rest_can_be_stored(line: str) -> None:
    reader = MetricsReader()
    records = list(reader.feed(TAKEN[line] + b"\n" + GOOD))
    assert records[-1][0].step == 7
    assert reader.left_out == 0
    for record, end in records:
        event = MetricsSeen(run="r", rank=0, record=record, end=end)
        assert from_json(to_json(event).encode("utf-8")) == event


def test_what_is_a_record_survives() -> None:
    lines = b'{"kind":"step","loss":NaN,"a":Infinity,"b":-1e999,"n":-9223372036854775808}\n\n  \n'
    reader = MetricsReader()
    ((record, _),) = reader.feed(lines)
    assert record.loss is not None
    assert math.isnan(record.loss)
    assert record.numbers == {"a": math.inf, "b": -math.inf, "n": -float(1 << 63)}
    assert reader.left_out == 0, "blank lines are nothing"


def test_a_line_without_end_costs_the_memory_of_one_line() -> None:
    reader = MetricsReader()
    piece = b"x" * (1 << 16)
    with Allocations() as memory:
        for _ in range(5000):
            assert list(reader.feed(piece)) == []
    assert memory.peak < 1 << 20
    assert reader.offset == 5000 << 16
    assert reader.end == 0, "a console that takes over begins at the line's start"
    assert [end for _, end in reader.feed(b"\n" + GOOD)] == [(5000 << 16) + 1 + len(GOOD)]
    assert reader.left_out_bytes == (5000 << 16) + 1


async def test_a_program_with_a_bad_metrics_file_does_not_end_the_watch(tmp_path: Path) -> None:
    lines = [*LEFT_OUT.values(), *TAKEN.values()]
    program = f"""
(HERE / "logs").mkdir()
path = HERE / "logs" / f"metrics_{{os.environ['DTUI_RUN_ID']}}_rank{{RANK}}.jsonl"
if RANK:
    path.write_bytes(b"\\n".join({lines!r}) + b"\\n")
note(kind="step", step=RANK)
"""
    async with fleet_of(inventory(tmp_path, program, master=1, gpu1=1)) as fleet:
        await collect(launch(fleet, plan_of(fleet.inventory)))
        events = await watched(fleet)
    assert finish(events).outcome == "succeeded"
    assert [event.record.step for event in of(events, MetricsSeen)].count(1) == 1
    (notice,) = [notice for notice in of(events, Notice) if "metrics" in notice.text]
    assert (notice.node, notice.level) == ("gpu1", "warning")
    assert "lines of logs/metrics_run-1_rank1.jsonl are not metrics records" in notice.text
