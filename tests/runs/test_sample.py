"""A plan drawn on the node that has a run's checkpoints, by the trainer itself and by stand-ins."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import stat
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, PngImagePlugin

from fleet.errors import FleetError
from fleet.events import Event, Notice, PlanDrawn
from fleet.fleet import Fleet
from fleet.inventory import Inventory, RunSettings, save_inventory
from fleet.runs import NoSuchRun, SampleFailed, launch, sample, watch
from lab.lab import Lab
from tests.runs.fleets import SWIFT, collect, finish, fleet_of, inventory, of, plan_of, project, watched
from tests.trainer.training_runs import ROOT, SMALL

TEXT = "부엌은 북동쪽, the bathroom is south."
#: A program that leaves a checkpoint, and draws: its arguments become the picture's text.
DRAWS = """
import json, os, pathlib, sys
arguments = sys.argv[1:]
out = arguments[arguments.index("--out") + 1]
print("drawing", flush=True)
from PIL import Image, PngImagePlugin
told = {"arguments": arguments, "gpus": os.environ.get("CUDA_VISIBLE_DEVICES"), "cwd": os.getcwd()}
info = PngImagePlugin.PngInfo()
info.add_itxt("told", json.dumps(told))
Image.new("RGB", (8, 8)).save(out, pnginfo=info)
"""


def told_by(picture: Path) -> Any:
    """What the stand-in wrote into its picture."""
    opened = Image.open(picture)
    assert isinstance(opened, PngImagePlugin.PngImageFile)
    return json.loads(opened.text["told"])


#: Programs that leave something else than a picture.
WRITES = "import pathlib, sys; pathlib.Path(sys.argv[sys.argv.index('--out') + 1]).write_bytes("
PNG = "b'\\x89PNG\\r\\n\\x1a\\n\\0\\0\\0\\rIHDR'"
CHECK = "check what the program's `sample` writes on master"


async def patiently(events: AsyncIterator[Event]) -> list[Event]:
    """Collect what torch takes its time for."""
    async with asyncio.timeout(240):
        return [event async for event in events]


def stand_in(tmp_path: Path, draws: str, **run: Any) -> Inventory:
    """One local node whose program is the package ``painter``; ``draws`` is its ``painter.sample``."""
    made = inventory(tmp_path, "", master=1)
    settings = RunSettings(**{"module": "painter", "config": None, **run})
    package = Path(made.master.project) / "painter"
    package.mkdir()
    (package / "__init__.py").touch()
    record = "note(kind='ckpt', step=1, path='made/here/step-1')"
    prelude = (Path(made.master.project) / "program.py").read_text("utf-8")
    (package / "__main__.py").write_text(prelude + record, "utf-8")
    (package / "sample.py").write_text(draws, "utf-8")
    return Inventory(project=made.project, master=made.master, workers=(), run=settings)


async def test_the_runs_program_draws_with_its_checkpoints_and_leaves_nothing(tmp_path: Path) -> None:
    async with fleet_of(stand_in(tmp_path, DRAWS)) as fleet:
        await collect(launch(fleet, plan_of(fleet.inventory)))
        assert finish(await watched(fleet)).outcome == "succeeded"
        out = tmp_path / "plans" / "plan.png"
        events = await collect(sample(fleet, "run-1", TEXT, out, best=True, seed=7))
        (drawn,) = of(events, PlanDrawn)
        assert (drawn.node, drawn.run, drawn.text, drawn.path) == ("master", "run-1", TEXT, str(out))
        assert of(events, Notice)[0].text == "drawing a plan with the best checkpoint of made/here"
        told = told_by(out)
        assert f"--text={TEXT}" in told["arguments"]
        assert told["arguments"][3:] == [
            "--checkpoint",
            "made/here",
            "--device",
            "cpu",
            "--seed",
            "7",
            "--best",
        ]
        assert told["cwd"] == str(project(fleet, "master"))
        assert not list((project(fleet, "master") / ".dtui").glob("program-*"))
        assert [path.name for path in out.parent.iterdir()] == ["plan.png"]
        assert os.name == "nt" or stat.S_IMODE(out.stat().st_mode) == 0o600


async def test_the_command_prints_where_the_plan_is(tmp_path: Path) -> None:
    made = stand_in(tmp_path, DRAWS)
    async with fleet_of(made) as fleet:
        await collect(launch(fleet, plan_of(made)))
        await watched(fleet)
    file = made.project / "configs" / "nodes.yaml"
    file.parent.mkdir(parents=True)
    save_inventory(made, file)

    def dtui(*words: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "tui", "sample", *words]
        return subprocess.run(command, cwd=made.project, capture_output=True, text=True, check=False)

    done = await asyncio.to_thread(dtui, "--text", TEXT, "-o", "a.png")
    assert (done.returncode, done.stdout) == (0, "a.png\n"), done.stderr
    assert "✓ master: run run-1 drew a.png" in done.stderr
    assert f"--text={TEXT}" in told_by(made.project / "a.png")["arguments"]
    (Path(made.master.project) / "painter" / "sample.py").write_text(
        "raise SystemExit('no checkpoint there')"
    )
    failed = await asyncio.to_thread(dtui, "run-1", "--text", TEXT, "-o", "b.png")
    assert (failed.returncode, failed.stdout) == (1, "")
    assert "dtui: master: no plan was drawn: no checkpoint there" in failed.stderr
    assert (await asyncio.to_thread(dtui, "--text", " ")).returncode == 2


@pytest.mark.parametrize(
    ("draws", "told", "remedy"),
    [
        ("import sys\nprint('first')\nsys.exit('nothing\\n  -> train longer')", "nothing", "train longer"),
        ("raise RuntimeError('memory is full')", "RuntimeError: memory is full", ""),
        ("import nowhere_to_be_found", "No module named 'nowhere_to_be_found'", "deploy to master again"),
        ("", "the program ended with status 0 and printed nothing", ""),
        (f"{WRITES} b'GIF89a' + bytes(100))", "the node sent a file that is not a PNG image", CHECK),
        (f"{WRITES} b'')", "the node sent a file that is not a PNG image", CHECK),
        (f"{WRITES} {PNG} + b'\\xff' * 8)", "has 4294967295 x 4294967295 pixels", CHECK),
        (f"{WRITES} {PNG} + bytes(8))", "has 0 x 0 pixels", CHECK),
        ("import time\ntime.sleep(600)", "it did not end within 1 s, and was ended", ""),
    ],
)  # fmt: skip
async def test_what_went_wrong_is_said_in_words(tmp_path: Path, draws: str, told: str, remedy: str) -> None:
    async with fleet_of(stand_in(tmp_path, draws)) as fleet:
        await collect(launch(fleet, plan_of(fleet.inventory)))
        await watched(fleet)
        timeout = 1.0 if "sleep" in draws else 60.0
        with pytest.raises(FleetError) as raised:
            await collect(sample(fleet, "run-1", TEXT, tmp_path / "plan.png", timeout=timeout))
        assert told in raised.value.what
        assert (raised.value.node, raised.value.remedy) == ("master", remedy)
        assert not (tmp_path / "plan.png").exists()
        assert not list((project(fleet, "master") / ".dtui").glob("program-*"))


async def test_runs_that_can_not_draw(tmp_path: Path) -> None:
    made = stand_in(tmp_path, DRAWS, module=None, script="program.py")
    async with fleet_of(made) as fleet:
        with pytest.raises(NoSuchRun):
            await collect(sample(fleet, "run-9", TEXT, tmp_path / "plan.png"))
        await collect(launch(fleet, plan_of(fleet.inventory)))
        await watched(fleet)
        with pytest.raises(SampleFailed, match="run run-1 started a script"):
            await collect(sample(fleet, "run-1", TEXT, tmp_path / "plan.png"))


@pytest.mark.torch
async def test_the_trainer_draws_on_a_node_behind_ssh(tmp_path: Path) -> None:
    async with Lab(1, root=tmp_path / "lab") as lab:
        options = {
            **SMALL,
            "data.generate": "true",
            "data.generate_pairs": 12,
            "training.max_steps": 2,
            "training.eval_pairs": 2,
        }
        run = RunSettings(
            config=None,
            args=tuple(word for key, value in options.items() for word in ("--set", f"{key}={value}")),
        )
        made = lab.inventory(tmp_path / "project", run=run)
        folder = lab.nodes[0].home.folder / made.workers[0].project.removeprefix("~/")
        shutil.copytree(ROOT / "trainer", folder / "trainer")
        (folder / "configs").mkdir()
        (folder / "configs" / "train_config.yaml").touch()
        lab.trust(made.project / ".dtui" / "known_hosts")
        made = Inventory(project=made.project, master=made.workers[0], workers=(), run=run)
        async with Fleet(made, home=made.project / ".dtui", prompts=lab.prompts) as fleet:
            await patiently(launch(fleet, plan_of(made)))
            assert finish(await patiently(watch(fleet, "run-1", SWIFT))).outcome == "succeeded"
            for best in (False, True):
                await patiently(sample(fleet, "run-1", TEXT, tmp_path / f"{best}.png", best=best))
    assert Image.open(tmp_path / "True.png").size == (32, 32)
    assert (tmp_path / "True.png").read_bytes() == (tmp_path / "False.png").read_bytes()
