"""How ends are said, metrics are cut into records, and failed runs are started again."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.wire.message import message
from fleet.diagnose import Context, LogTails, load_rules
from fleet.events import LogChunk, RankExited, RunFinished, RunPlanned
from fleet.metrics_record import MetricsRecord, parse_record
from fleet.runs import LaunchOptions, find_runs, run_to_end
from fleet.runs.metrics import MetricsReader
from fleet.runs.progress import Progress, failed
from fleet.runs.verdict import cause_of, exit_text, node_failure, rank_failure, verdict
from fleet.runs.watch_state import Failure, NodeEnded, WatchState
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


def zero_and_two(rank: int) -> bool:
    return rank in (0, 2)


def cause(
    *ends: RankExited, nodes: tuple[Failure, ...] = (), lost_peer: Callable[[int], bool] = zero_and_two
) -> str:
    progress, watch_state = Progress(), WatchState()
    for end in ends:
        progress.add(end)
        if failed(end):
            watch_state.fail(rank_failure(end))
    for node in nodes:
        watch_state.fail(node)
    found = cause_of(watch_state, progress, lost_peer)
    return "" if found is None else str(found.cause)


def test_a_rank_that_lost_its_peer_is_not_the_cause_even_if_it_ended_first() -> None:
    assert cause(ended(0, 1, at=5.0), ended(1, 7, at=5.4)) == "rank 1 (gpu1) ended with exit code 7"
    assert cause(ended(0, 1, at=5.0), ended(2, 1, at=5.4)) == "rank 0 (gpu0) ended with exit code 1"


def test_a_rank_that_was_still_ending_when_it_was_stopped_is_the_cause_of_its_exception() -> None:
    progress, watch_state = Progress(), WatchState()
    for end in (
        ended(0, 1, at=5.0),
        ended(1, -15, at=6.0, stopped=True),
        ended(2, -15, at=6.0, stopped=True),
    ):
        progress.add(end)
    watch_state.fail(rank_failure(ended(0, 1, at=5.0)))
    found = cause_of(watch_state, progress, zero_and_two, {0: "E", 1: "ValueError: x", 2: "E"}.__getitem__)
    assert found is not None
    assert (found.cause, found.rank) == ("rank 1 (gpu1) failed with an exception", 1)


def test_a_rank_that_left_with_0_is_the_cause_if_another_then_lost_it() -> None:
    assert cause(ended(1, 0, at=4.0), ended(0, 1, at=5.0)) == (
        "rank 1 (gpu1) ended with exit code 0 while others still needed it: "
        "rank 0 (gpu0) ended with exit code 1"
    )


def test_a_rank_that_left_with_0_is_not_the_cause_of_a_failure_of_its_own() -> None:
    alone = cause(ended(1, 0, at=4.0), ended(0, 1, at=5.0), lost_peer=lambda rank: False)
    assert alone == "rank 0 (gpu0) ended with exit code 1"
    assert cause(ended(1, 0, at=5.1), ended(0, 1, at=5.0)) == "rank 0 (gpu0) ended with exit code 1"
    assert cause(ended(1, 0, at=4.0), ended(0, 0, at=5.0)) == ""


def test_a_node_out_of_reach_is_the_cause_only_of_lost_connections() -> None:
    lost = NodeEnded(node="gpu1", at=70.0, state="unreachable", since=3.0, error=message("x", "no answer"))
    failure = node_failure(lost, Progress(), 70.0)
    assert failure is not None
    assert cause(ended(0, 1, at=5.0), nodes=(failure,)) == (
        "gpu1 is lost: out of reach for 1 min 07 s (no answer)"
    )
    assert cause(ended(1, 7, at=5.0), nodes=(failure,)) == "rank 1 (gpu1) ended with exit code 7"


def test_a_full_disk_explains_the_failure_of_its_own_node_only() -> None:
    full = NodeEnded(node="gpu1", at=9.0, state="failed", error=message("supervisor.disk-full", "full"))
    progress = Progress()
    progress.add(ended(1, 120, at=5.0))
    failure = node_failure(full, progress, 9.0)
    assert failure is not None
    assert cause(ended(1, 120, at=5.0), nodes=(failure,)) == "full: rank 1 (gpu1) ended with exit code 120"
    assert cause(ended(3, 2, at=4.0), ended(1, 120, at=5.0), nodes=(failure,)) == (
        "rank 3 (gpu3) ended with exit code 2"
    )


def test_a_rank_whose_code_nobody_knows_has_not_failed_by_itself() -> None:
    lost = RankExited(node="gpu1", at=1.0, run="r", rank=1, code=-1, lost=True)
    assert cause(lost) == ""


@pytest.mark.parametrize(
    ("text", "lost"),
    [
        ("RuntimeError: [gloo/transport/tcp/pair.cc:534] Connection closed by peer [127.0.0.1]:1", True),
        ("Timed out waiting 20000ms for recv operation to complete", True),
        ("torch.distributed.DistNetworkError: Connection reset by peer", True),
        ("Connection closed by peer\nOSError: [Errno 28] No space left on device", False),
        ("ValueError: no such column", False),
        ("", False),
    ],
)
def test_a_lost_connection_is_known_by_the_ranks_output(text: str, lost: bool) -> None:
    tails = LogTails({0: Context("linux", "other", 29500)})
    tails.add(LogChunk(run="r", rank=0, offset=0, data=text.encode()))
    assert tails.lost_peer(load_rules(), 0) is lost
    assert not tails.lost_peer(load_rules(), 1)


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
