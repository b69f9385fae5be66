"""The stacks of all ranks over the monitor: equal ones together, side by side, read again by a key."""

from __future__ import annotations

import json
from collections.abc import Sequence

import pytest
from msgspec.structs import replace
from syrupy.assertion import SnapshotAssertion

from agent.wire.message import message
from agent.wire.runs import RankStacks
from fleet.event_json import from_json, to_json
from fleet.events import Event, StacksRead
from tests.console.driving import settled, text_of, until
from tests.console.fakes import NOW, Recorded, cards, console
from tests.console.recorded_fleet import START
from tests.console.recorded_run import RUN
from tui.i18n import Texts
from tui.views.stacks import stack_groups

WAITING = [
    ("/opt/env/lib/python3.12/site-packages/torch/distributed/distributed_c10d.py", 2806, "all_reduce"),
    ("/home/연구원/floorplan/train.py", 88, "train_step"),
    ("/home/연구원/floorplan/train.py", 140, "<module>"),
]
LOADING = [
    ("/home/연구원/floorplan/data/\x1b[31m느린 디스크.py", 42, "read\r\x1b]0;owned\x07_tile"),
    ("/home/연구원/floorplan/train.py", 80, "train_step"),
]
OFF = message("agent.busy", "{count} requests are running already", count=3)


def of_rank(rank: int, frames: Sequence[tuple[str, int, str]]) -> RankStacks:
    recorder = {"entries": [{"collective_seq_id": 812, "profiling_name": "nccl:all_reduce",
                             "input_sizes": [[4096]]}]}  # fmt: skip
    return {
        "rank": rank,
        "source": "observer" if frames else "none",
        "stacks": [
            {
                "thread": "MainThread",
                "main": True,
                "frames": [{"file": file, "line": line, "function": name} for file, line, name in frames],
            }
        ],
        "recorder": json.dumps(recorder) if rank == 0 else None,
    }


def answers(at: float, *, saved: bool = False, run: str = RUN) -> list[Event]:
    read = StacksRead(run=run, at=START + at, saved=saved)
    return [
        replace(read, node="master", ranks=(of_rank(0, WAITING), of_rank(1, WAITING))),
        replace(read, node="gpu1", ranks=(of_rank(2, WAITING), of_rank(3, LOADING))),
        replace(read, node="gpu2", ranks=(of_rank(4, ()),)),
        replace(read, node="연구실-3", error=OFF, remedy=message("agent.busy.remedy", "try again later")),
    ]


@pytest.mark.parametrize("lang", ["en", "ko"])
async def test_stacks_are_shown_side_by_side(lang: str, screen: SnapshotAssertion) -> None:
    operations = Recorded(cards(), told={"stacks": answers(NOW["monitor_busy"])})
    app = console("monitor_busy", "monitor", lang=lang, operations=operations)
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: app.engine.running)
        await pilot.press("b")
        await until(pilot, lambda: "연구실-3" in text_of(app) and "stacks" not in app.engine.running)
        for width, height in ((80, 24), (120, 40)):
            await pilot.resize_terminal(width, height)
            assert await settled(pilot) == screen(name=f"{width}x{height}")
        shown = text_of(app)
        assert "rank 0 (master), 1 (master), 2 (gpu1)" in shown
        assert "train.py:88  train_step" in shown
        assert "owned" not in shown
        assert "\x1b" not in shown


async def test_a_key_reads_them_again_and_another_closes_them() -> None:
    operations = Recorded(cards(), told={"stacks": answers(700)})
    app = console("monitor_busy", "monitor", operations=operations)
    async with app.run_test(size=(120, 40)) as pilot:
        await until(pilot, lambda: app.engine.running)
        await pilot.press("b")
        await until(pilot, lambda: "Read at" in text_of(app))
        before = text_of(app)
        operations._told["stacks"] = [
            StacksRead(node="master", at=START + 760, run=RUN, ranks=(of_rank(0, LOADING),))
        ]
        await pilot.press("r")
        await until(pilot, lambda: "Read at" in text_of(app) and "distributed_c10d" not in text_of(app))
        assert "distributed_c10d" in before
        assert "rank 0 (master)" in text_of(app)
        assert "4 (gpu2)" not in text_of(app), "an answer of the reading before"
        assert operations.asked.count(("stacks", RUN)) == 2
        await pilot.press("escape")
        await until(pilot, lambda: "Stacks of run" not in text_of(app))


async def test_the_stacks_of_an_ended_run_are_those_that_were_saved() -> None:
    operations = Recorded(cards(), told={"stacks": answers(200, saved=True)})
    app = console("monitor_error", "monitor", operations=operations)
    async with app.run_test(size=(120, 40)) as pilot:
        await until(pilot, lambda: app.engine.running)
        await pilot.press("colon", *"monitor stacks", "enter")
        await until(pilot, lambda: "The run has ended; these stacks were saved at" in text_of(app))
        assert "train.py:88" in text_of(app)


async def test_an_ended_run_without_saved_stacks_says_so() -> None:
    app = console("monitor_error", "monitor", operations=Recorded(cards()))
    async with app.run_test(size=(120, 40)) as pilot:
        await until(pilot, lambda: app.engine.running)
        await pilot.press("b")
        await until(pilot, lambda: "The run has ended without saved stacks" in text_of(app))


async def test_a_run_without_a_live_rank_says_so() -> None:
    told = {"stacks": [StacksRead(node="gpu1", at=START, run=RUN)]}
    app = console("monitor_busy", "monitor", operations=Recorded(cards(), told=told))
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: app.engine.running)
        await pilot.press("b")
        await until(pilot, lambda: "No rank of this run is alive" in text_of(app))


async def test_a_reading_that_failed_says_so() -> None:
    app = console("monitor_busy", "monitor", operations=Recorded(cards()))
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: app.engine.running)
        await pilot.press("b")
        await until(pilot, lambda: "No node has answered" in text_of(app))


def test_without_a_width_nothing_is_cut() -> None:
    groups = stack_groups({"gpu1": [of_rank(0, WAITING), of_rank(1, WAITING)]}, Texts("en"))
    lines = ["".join(text for text, _ in line) for line in groups[0]]
    assert lines == [
        "rank 0 (gpu1), 1 (gpu1)",
        *(f"    {file}:{line}  {name}" for file, line, name in WAITING),
        "    rank 0: last collective 812, nccl:all_reduce [[4096]]",
    ]


def test_the_event_survives_json() -> None:
    assert [from_json(to_json(event)) for event in answers(1.0)] == answers(1.0)
