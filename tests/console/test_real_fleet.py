"""The whole sequence by keyboard on nodes with real SSH: connect, deploy, launch, stop, leave, reopen."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path

import pytest
from msgspec.structs import replace
from textual.widgets import Label

from fleet.events import LinkChanged
from fleet.inventory import RunSettings, load_inventory, save_inventory
from lab.lab import Lab
from tests.console.driving import text_of
from tests.support.leftover import leftover
from transports.base import NoPrompts, Prompts
from tui.app import ConsoleApp
from tui.dialogs.confirm import ConfirmScreen
from tui.operations.fleet_operations import FleetOperations
from tui.operations.interface import Draft
from tui.operations.operation import Operation

PROGRAM = """
import os, pathlib, time
rank = os.environ["RANK"]
print(f"hello from rank {rank}", flush=True)
print("needle in rank", rank, flush=True)
stop = pathlib.Path(os.environ["DTUI_STOP_FILE"])
while not stop.exists():
    time.sleep(0.05)
print("asked to stop", flush=True)
"""
#: Takes ``--resume`` as the trainer does; fails once, after a checkpoint.
RESUMING = """
import json, os, pathlib, sys
run, rank = os.environ["DTUI_RUN_ID"], os.environ["RANK"]
if "--resume" in sys.argv:
    print("going on from", sys.argv[sys.argv.index("--resume") + 1], flush=True)
    sys.exit(0)
record = {"kind": "ckpt", "t": 0.0, "rank": 0, "step": 40, "path": f"checkpoints/{run}/step-40"}
pathlib.Path("logs").mkdir(exist_ok=True)
pathlib.Path(f"logs/metrics_{run}_rank{rank}.jsonl").write_text(json.dumps(record) + chr(10))
sys.exit(3)
"""
DEADLINE = 90.0


@pytest.fixture
async def project(tmp_path: Path) -> AsyncIterator[tuple[Path, Prompts]]:
    folder = tmp_path / "project"
    (folder / "configs").mkdir(parents=True)
    (folder / "work.py").write_text(PROGRAM, "utf-8")
    async with Lab(2) as lab:
        lab.trust(folder / ".dtui" / "known_hosts")
        inventory = lab.inventory(folder, run=RunSettings(module=None, script="work.py"))
        save_inventory(inventory, folder / "configs" / "nodes.yaml")
        yield folder, lab.prompts


def opened(project: tuple[Path, Prompts]) -> ConsoleApp:
    folder, prompts = project
    return ConsoleApp(FleetOperations(folder / "configs" / "nodes.yaml", project=folder, prompts=prompts))


async def until(pilot, condition) -> None:
    try:
        async with asyncio.timeout(DEADLINE):
            while not condition():
                await pilot.pause(0.05)
    except TimeoutError:
        app = pilot.app
        raise AssertionError(f"{text_of(app)}\n{app.engine.state.notices}") from None


async def test_from_connecting_to_taking_the_run_up_again(project):
    app = opened(project)
    async with app.run_test(size=(120, 40)) as pilot:
        await until(pilot, lambda: "3/3 up" in text_of(app))
        await until(pilot, lambda: all(node.facts for node in app.engine.state.nodes.values()))

        await pilot.press("u", "y")
        await until(pilot, lambda: app.mode_screen.mode == "monitor")
        run = app.engine.state.run
        assert run is not None
        assert [node.deployed.ok for node in app.engine.state.nodes.values()] == [True] * 3
        await until(pilot, lambda: text_of(app).count("needle in rank") == 3)
        await until(pilot, lambda: "3/3 ranks up" in text_of(app))
        await pilot.press("slash", *"needle", "enter")
        await until(pilot, lambda: "/ needle" in text_of(app))
        await pilot.press("q", "y")

    again = opened(project)
    async with again.run_test(size=(120, 40)) as pilot:
        await until(pilot, lambda: again.mode_screen.mode == "monitor")
        await until(pilot, lambda: text_of(again).count("hello from rank") == 3)
        book = again.engine.logbook(run.id)
        assert [book.log(rank).read(0, 2)[0].text for rank in range(3)] == [
            f"hello from rank {rank}" for rank in range(3)
        ]
        await pilot.press("X", "y")
        await until(pilot, lambda: again.engine.state.runs[run.id].outcome == "stopped")
        await until(pilot, lambda: text_of(again).count("asked to stop") == 3)
        await pilot.press("5")
        await until(pilot, lambda: "stopped" in text_of(again) and run.id in text_of(again))


@pytest.mark.full
async def test_a_failed_run_starts_again_from_its_own_checkpoint(project):
    folder, _ = project
    (folder / "trainer").mkdir()
    # Without it, a trainer on the path of the tests comes before the project's.
    (folder / "trainer" / "__init__.py").touch()
    (folder / "trainer" / "__main__.py").write_text(RESUMING, "utf-8")
    (folder / "configs" / "train_config.yaml").write_text("{}\n", "utf-8")
    inventory = load_inventory(folder / "configs" / "nodes.yaml")
    save_inventory(replace(inventory, run=RunSettings()), folder / "configs" / "nodes.yaml")
    app = opened(project)
    async with app.run_test(size=(120, 40)) as pilot:
        await until(pilot, lambda: "3/3 up" in text_of(app))
        await pilot.press("u", "y")
        await until(pilot, lambda: app.engine.state.run and app.engine.state.run.outcome == "failed")
        failed = app.engine.state.run
        await until(pilot, lambda: not app.engine.running & {"up"})
        await pilot.press("5", "g", "R")
        await until(pilot, lambda: isinstance(app.screen, ConfirmScreen) and app.screen.query("#question"))
        assert "at step 40?" in str(app.screen.query_one("#question", Label).content)
        await pilot.press("y")
        await until(pilot, lambda: app.engine.state.run.id != failed.id and app.engine.state.run.outcome)
        assert app.engine.state.run.outcome == "succeeded"
        book = app.engine.logbook(app.engine.state.run.id)
        assert [book.log(rank).read(0, 1)[0].text for rank in range(3)] == [
            f"going on from checkpoints/{failed.id}/step-40"
        ] * 3


async def test_a_plan_sends_nothing(project):
    app = opened(project)
    async with app.run_test(size=(120, 40)) as pilot:
        await until(pilot, lambda: "3/3 up" in text_of(app))
        await pilot.press("3", "p")
        await until(pilot, lambda: "would start 3 ranks" in text_of(app))
        assert "would send" in text_of(app)
        await until(pilot, lambda: "plan" not in app.engine.running)
        assert app.engine.state.run is None
        assert not any(node.deployed for node in app.engine.state.nodes.values())


async def test_a_fix_is_shown_and_applied_after_a_yes_and_checked_again(project):
    folder, _ = project
    app = opened(project)
    with leftover(folder) as orphan:
        async with app.run_test(size=(120, 40)) as pilot:
            await until(pilot, lambda: "3/3 up" in text_of(app))
            checks = lambda: app.engine.state.nodes["master"].checks  # noqa: E731
            app.engine.run(Operation.PREFLIGHT, lambda: app.operations.preflight(["master"], ["leftovers"]))
            # A fix is refused while the check is active, and its result arrives before it has ended.
            await until(pilot, lambda: "leftovers" in checks() and not app.engine.running & {"preflight"})
            assert checks()["leftovers"].status == "warn"
            await pilot.press("2", "M")
            asked = f"end process {orphan.pid} of run run-old"
            await until(pilot, lambda: asked in text_of(app))
            await pilot.press("enter")  # No is the default
            await until(pilot, lambda: "fix" not in app.engine.running)
            assert orphan.poll() is None
            await pilot.press("M")
            await until(pilot, lambda: asked in text_of(app))
            await pilot.press("y")
            await until(pilot, lambda: checks()["leftovers"].status == "ok")
            assert orphan.wait(10) != 0


async def test_every_way_between_the_nodes_is_tried_and_measured(project):
    app = opened(project)
    async with app.run_test(size=(120, 40)) as pilot:
        await until(pilot, lambda: "3/3 up" in text_of(app))
        await pilot.press("2", "w", "p")
        names = list(app.engine.state.nodes)
        pairs = [(source, target) for source in names for target in names if source != target]

        def routes():
            return [app.engine.state.nodes[source].routes.get(target) for source, target in pairs]

        await until(pilot, lambda: all(route and route.bytes_per_second for route in routes()))
        assert {route.ports["ephemeral"] for route in routes()} == {"open"}
        await until(pilot, lambda: text_of(app).count("bit/s") >= len(pairs))


async def test_operations_on_no_inventory(tmp_path: Path):
    path = tmp_path / "configs" / "nodes.yaml"
    operations = FleetOperations(path, project=tmp_path, prompts=NoPrompts())
    assert operations.nodes() == ()
    async with aclosing(operations.watch()) as events:
        assert [event async for event in events] == []
    assert not path.exists()
    await operations.close()


def test_an_added_address_may_carry_its_port(tmp_path: Path):
    path = tmp_path / "configs" / "nodes.yaml"
    operations = FleetOperations(path, project=tmp_path, prompts=NoPrompts())
    operations.add_node(Draft("one", "192.168.1.101:2222"))
    operations.add_node(Draft("two", "192.168.1.102"))
    operations.add_node(Draft("six", "fe80::1:22"))
    places = {node.name: (node.address, node.port) for node in load_inventory(path).workers}
    assert places["one"] == ("192.168.1.101", 2222)
    assert places["two"][0] == "192.168.1.102"
    assert places["six"][0] == "fe80::1:22"


async def test_what_is_kept_lies_in_the_project_that_the_inventory_names(project, tmp_path: Path):
    folder, prompts = project
    elsewhere = tmp_path / "elsewhere" / "nodes.yaml"
    elsewhere.parent.mkdir()
    text = (folder / "configs" / "nodes.yaml").read_text("utf-8")
    elsewhere.write_text(re.sub(r"(?m)^project:.*$", f"project: {folder}", text), "utf-8")
    operations = FleetOperations(elsewhere, project=elsewhere.parent, prompts=prompts)
    assert operations.project == folder.name
    async with aclosing(operations.probe([card.name for card in operations.nodes()])) as events:
        states = [event.state async for event in events if isinstance(event, LinkChanged)]
    await operations.close()
    assert "failed" not in states, "the host keys are the project's"
    assert not (elsewhere.parent / ".dtui").exists()
