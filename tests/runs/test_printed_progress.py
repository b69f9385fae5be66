"""The progress that any program prints, from its output to the run's state and its record."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from msgspec.structs import replace

from fleet.events import Event, LogChunk, MetricsSeen
from fleet.runs import RunStore, launch, replay
from fleet.runs.printed import PrintedFigures
from fleet.state import FleetState
from tests.runs.fleets import collect, fleet_of, inventory, of, plan_of, project, watch_until, watched

BAR = """
say("loading")
wait_for("go")
for step in (1, 500, 1000):
    bar = f"{step // 10}%|...| {step}/1000 [00:01<00:10, 10.0it/s, loss={1 / step}]"
    sys.stdout.write(f"\\rEpoch {RANK}:  {bar}")
    sys.stdout.flush()
sys.stdout.write(chr(10))
"""


async def test_a_program_runs_from_its_first_output_and_its_bar_gives_the_figures(tmp_path: Path) -> None:
    fleet = fleet_of(inventory(tmp_path, BAR, master=1, gpu1=1))
    async with fleet:
        await collect(launch(fleet, plan_of(fleet.inventory)))
        early = await watch_until(fleet, lambda seen: _phases(seen) == {"running"})
        assert not of(early, MetricsSeen)
        for node in ("master", "gpu1"):
            (project(fleet, node) / "go").touch()
        events = await watched(fleet)
    run = FleetState().after_all(events).runs["run-1"]
    assert run.leader is not None
    assert (run.leader.step, run.leader.numbers["epoch_steps"], run.leader.loss) == (1000, 1000, 0.001)
    assert {event.source for event in of(events, MetricsSeen)} == {"output"}
    assert {event.rank for event in of(events, MetricsSeen)} == {0, 1}
    # A recording has the same figures as the screen had.
    recorded = list(replay(RunStore(fleet.home, "run-1").events_file))
    assert FleetState().after_all(recorded).runs["run-1"].leader == run.leader


async def test_the_last_figures_before_a_pause_are_reported(tmp_path: Path) -> None:
    program = """
say("step 1/100 loss 1.5")
wait_for("more")
say("step 2/100 loss 1.4")
wait_for("go")
"""
    fleet = fleet_of(inventory(tmp_path, program, master=1))

    def shows(step: int) -> Callable[[list[Event]], bool]:
        return lambda seen: step in {event.record.step for event in of(seen, MetricsSeen)}

    async with fleet:
        await collect(launch(fleet, plan_of(fleet.inventory)))
        await watch_until(fleet, shows(1))
        (project(fleet, "master") / "more").touch()
        await watch_until(fleet, shows(2))
        (project(fleet, "master") / "go").touch()
        await watched(fleet)


def test_figures_are_held_back_for_a_second_at_most() -> None:
    figures = PrintedFigures()

    def printed(at: float, text: str, offset: int) -> MetricsSeen | None:
        data = text.encode()
        return figures.add(LogChunk(node="gpu1", at=at, run="r", rank=1, offset=offset, data=data))

    first = printed(100.0, "step 1/9 loss 3\n", 0)
    assert first is not None
    assert first.record.step == 1
    assert printed(100.2, "step 2/9 loss 2\n", 16) is None
    assert not list(figures.held_back()), "it prints: the next figures are about to come"
    (held,) = figures.held_back()
    assert (held.node, held.rank, held.record.step, held.end) == ("gpu1", 1, 2, 32)
    assert not list(figures.held_back())


async def test_a_metrics_file_counts_instead_of_what_the_same_program_prints(tmp_path: Path) -> None:
    program = """
note(kind="step", step=7, loss=0.25)
wait_for("go")
say("step 3/9 loss 0.5")
"""
    fleet = fleet_of(inventory(tmp_path, program, master=1))
    async with fleet:
        await collect(launch(fleet, plan_of(fleet.inventory)))
        await watch_until(fleet, lambda seen: bool(of(seen, MetricsSeen)))
        (project(fleet, "master") / "go").touch()
        events = await watched(fleet)
    assert [(event.source, event.record.step) for event in of(events, MetricsSeen)] == [("file", 7)]


@pytest.mark.parametrize("page", ["progress.md", "progress.ko.md"])
async def test_the_pages_example_writes_records(tmp_path: Path, page: str) -> None:
    text = (Path(__file__).resolve().parents[2] / "docs" / page).read_text(encoding="utf-8")
    program = text.split("```python\n")[1].split("```")[0]
    fleet = fleet_of(inventory(tmp_path, program, master=1))
    async with fleet:
        await collect(launch(fleet, plan_of(fleet.inventory)))
        events = await watched(fleet)
    run = FleetState().after_all(events).runs["run-1"]
    assert run.leader is not None
    assert (run.leader.step, run.leader.steps, run.leader.eta) == (10, 1000, 198.0)


async def test_the_inventorys_pattern_is_used(tmp_path: Path) -> None:
    described = inventory(tmp_path, 'say("it=12|50 cost 0.25")', master=1)
    run = replace(described.run, progress=r"it=(?P<step>\d+)\|(?P<steps>\d+) cost (?P<loss>\S+)")
    fleet = fleet_of(replace(described, run=run))
    async with fleet:
        await collect(launch(fleet, plan_of(fleet.inventory)))
        events = await watched(fleet)
    (seen,) = of(events, MetricsSeen)
    assert (seen.record.step, seen.record.steps, seen.record.loss) == (12, 50, 0.25)


def _phases(events: list[Event]) -> set[str]:
    run = FleetState().after_all(events).runs.get("run-1")
    return set() if run is None else {rank.phase for rank in run.ranks.values()}
