"""How ends are said, metrics are cut into records, and failed runs are started again."""

from __future__ import annotations

import json
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from fleet.events import RankExited, RunFinished, RunPlanned
from fleet.metrics_record import MetricsRecord, parse_record
from fleet.runs import LaunchOptions, find_runs, run_to_end
from fleet.runs.metrics import MetricsReader
from fleet.runs.progress import Progress
from fleet.runs.verdict import exit_text, rank_failure, verdict
from fleet.runs.watch_state import NodeEnded, WatchState
from tests.runs.fleets import SWIFT, collect, fleet_of, inventory, of, plan_of


def ended(rank: int, code: int, at: float, *, stopped: bool = False) -> RankExited:
    return RankExited(node=f"gpu{rank}", at=at, run="r", rank=rank, code=code, stopped=stopped)


def judged(*ends: RankExited, **states: str) -> RunFinished:
    progress, watch_state = Progress(), WatchState()
    for end in ends:
        progress.add(end)
        if end.code != 0 and not end.stopped:
            watch_state.fail(rank_failure(end))
    for node, state in states.items():
        watch_state.ended[node] = NodeEnded(node=node, state=state)
    return verdict("r", progress, watch_state, 10.0)


def test_the_earliest_failure_is_the_cause_in_whatever_order_it_is_learned() -> None:
    end = judged(ended(2, 1, at=5.3), ended(1, 42, at=5.1), ended(0, -15, at=5.0, stopped=True))
    assert (end.outcome, end.cause) == ("failed", "rank 1 (gpu1) ended with exit code 42")


def test_a_run_that_was_stopped_is_neither_failed_nor_succeeded() -> None:
    end = judged(ended(0, 0, at=1.0, stopped=True), gpu0="stopped", gpu1="succeeded")
    assert (end.outcome, end.cause) == ("stopped", "stopped by request on gpu0")


def test_a_run_whose_ranks_all_ended_with_0_succeeded() -> None:
    assert judged(ended(0, 0, at=1.0), gpu0="succeeded").outcome == "succeeded"


def test_exit_codes_are_said_in_the_words_of_their_system() -> None:
    assert exit_text(1) == "exit code 1"
    assert exit_text(-9) == "signal 9 (SIGKILL)"
    assert exit_text(-200) == "signal 200"
    assert exit_text(0xC0000005) == "status 0xC0000005 (access violation)"
    assert exit_text(0xC0000999) == "status 0xC0000999"
    assert "out of memory" in rank_failure(ended(1, -9, at=0.0)).remedy


@given(st.lists(st.dictionaries(st.text(max_size=3), st.integers()), max_size=8), st.data())
def test_metrics_cut_anywhere_and_taken_up_anywhere_give_each_record_once(
    records: list[dict[str, int]], data: st.DataObject
) -> None:
    file = b"".join(json.dumps(record).encode() + b"\nnot json\n[1]\n" for record in records)
    cut = data.draw(st.integers(0, len(file)))
    reader = MetricsReader()
    first = list(reader.feed(file[:cut]))
    # A console that is killed here has recorded `first`, and the next one begins at the last record's end.
    later = MetricsReader(first[-1][1] if first else 0)
    rest = later.feed(file[later.offset :])
    assert [record for record, _ in first] + [record for record, _ in rest] == [
        parse_record(record) for record in records
    ]
    assert reader.offset == cut


def test_a_line_without_end_is_not_kept_for_ever() -> None:
    reader = MetricsReader()
    for _ in range(40):
        assert list(reader.feed(b"x" * 65_536)) == []
    assert list(reader.feed(b'\n{"a": 1}\n')) == [(MetricsRecord(numbers={"a": 1.0}), 40 * 65_536 + 10)]


async def test_a_failed_run_is_started_again_under_its_own_name(tmp_path: Path) -> None:
    program = """
say(os.environ["DTUI_RUN_ID"])
if RANK == 0 and not (HERE / "checkpoint").exists():
    (HERE / "checkpoint").touch()
    sys.exit(1)
"""
    fleet = fleet_of(inventory(tmp_path, program, master=1, gpu1=1))
    async with fleet:
        events = await collect(
            run_to_end(fleet, plan_of(fleet.inventory), LaunchOptions(max_restarts=3), SWIFT)
        )
    assert [event.run for event in of(events, RunPlanned)] == ["run-1", "run-1-r1"]
    assert [event.outcome for event in of(events, RunFinished)] == ["failed", "succeeded"]
    assert [summary.run for summary in find_runs(fleet.home)] == ["run-1", "run-1-r1"]
    log = fleet.home / "runs" / "run-1-r1" / "rank-0.log"
    assert log.read_text() == "run-1-r1\n"


async def test_a_run_is_not_started_more_often_than_allowed(tmp_path: Path) -> None:
    fleet = fleet_of(inventory(tmp_path, "sys.exit(5)", master=1))
    async with fleet:
        events = await collect(
            run_to_end(fleet, plan_of(fleet.inventory), LaunchOptions(max_restarts=1), SWIFT)
        )
    assert [event.outcome for event in of(events, RunFinished)] == ["failed", "failed"]
    assert isinstance(events[-1], RunFinished)
