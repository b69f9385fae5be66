"""``dtui status`` says what a run's load meant, from what consoles have kept of it."""

from __future__ import annotations

import inspect
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from agent.wire.message import message
from fleet.events import LogChunk, MetricsSeen, Notice, RankStarted, TelemetrySampled
from fleet.inventory import Inventory, load_inventory
from fleet.plan import plan_run
from fleet.runs import RunStore, announce, stalls, watchdog
from fleet.runs.recorder import Recorder
from fleet.telemetry import Meter
from fleet.telemetry.tally import write_tallies
from tests.support import wire
from tests.telemetry.samples import gpu, process, sample

ROOT = Path(__file__).parents[2]


@pytest.fixture
def inventory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Inventory:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    (tmp_path / "configs").mkdir()
    (tmp_path / "configs" / "telemetry.yaml").write_text("price_per_kwh: 150\ncurrency: KRW\n")
    (tmp_path / "configs" / "nodes.yaml").write_text(
        f"project: ..\nmaster: {{address: 127.0.0.1, python: {sys.executable}, processes: 1}}\nnodes:\n"
        f"  - {{name: gpu1, address: 127.0.0.2, transport: local, python: {sys.executable}, processes: 1, "
        f"project: {tmp_path / 'there'}}}\n"
    )
    return load_inventory(tmp_path / "configs" / "nodes.yaml")


def keep(inventory: Inventory, project: Path) -> None:
    """Record a run that waits for data and used a third of a kilowatt hour."""
    facts = {node.name: wire.facts() for node in inventory.nodes}
    plan = plan_run(inventory, facts, run_id="run-1")
    store = RunStore(project / ".dtui", "run-1")
    store.create(plan)
    meter = Meter()
    with Recorder(store) as recorder:
        events = [*announce(plan, 0.0), RankStarted(run="run-1", rank=0, node="master", pid=4711)]
        events.append(LogChunk(run="run-1", rank=0, node="master", offset=0, data=b"x" * 1000))
        for second in range(5):
            record = wire.record(kind="step", step_time=1.0, data_time=0.4, comm_time=0.0)
            events.append(MetricsSeen(run="run-1", rank=0, node="master", at=1.0 * second, record=record))
        for event in events:
            recorder.write(event)
            meter.add(event)
    for second in (0.0, 1.0):
        busy = gpu(energy=1.2e6 * second, util=90, processes=[process(4711)])
        meter.add(TelemetrySampled(node="master", at=second, sample=sample(busy)))
    write_tallies(store.folder, meter.tallies("run-1"))


def status(project: Path, *arguments: str) -> str:
    result = subprocess.run(
        [sys.executable, "-m", "tui", "status", *arguments],
        cwd=project,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert result.stdout, result.stderr
    return result.stdout


def test_what_a_run_waited_for_and_what_it_cost(inventory: Inventory, tmp_path: Path) -> None:
    keep(inventory, tmp_path)
    lines = status(tmp_path).splitlines()
    assert "  " not in lines, "the records of this run have no step and no loss"
    assert "  load: data-bound: 40% of each step; GPU training time: 90%; 333.3 Wh, 50.00 KRW" in lines
    load = json.loads(status(tmp_path, "--json"))["load"]
    assert (load["bound"], load["straggler"], load["joules"]) == ("data", None, 1.2e6)
    assert load["cost"] == pytest.approx(50.0)
    assert load["training"] == pytest.approx(90.0)


def test_a_stall_is_shown_until_the_run_makes_progress(inventory: Inventory, tmp_path: Path) -> None:
    keep(inventory, tmp_path)
    text = message(
        "run.stalled", "no progress for {seconds:duration}: {ranks:; }", seconds=61.0, ranks=["rank 1"]
    )
    with Recorder(RunStore(tmp_path / ".dtui", "run-1")) as recorder:
        recorder.write(Notice(at=5.0, level="warning", text=text))
    assert "no progress for 1 min 01 s: rank 1" in status(tmp_path)
    assert json.loads(status(tmp_path, "--json"))["stall"]["text"]["id"] == "run.stalled"
    with Recorder(RunStore(tmp_path / ".dtui", "run-1")) as recorder:
        record = wire.record(kind="step", step=9)
        recorder.write(MetricsSeen(run="run-1", rank=0, node="master", at=6.0, record=record))
    assert "no progress" not in status(tmp_path)
    assert json.loads(status(tmp_path, "--json"))["stall"] is None


def test_every_report_of_a_run_without_progress_is_a_stall() -> None:
    """The ids are declared where the messages are raised; the set that status uses must have all of them."""
    sources = [inspect.getsource(module) for module in (stalls, watchdog)]
    raised = {
        found for source in sources for found in re.findall(r'"(run\.(?:stalled|not-)[a-z-]*)"', source)
    }
    assert raised == set(stalls._STALLS)
