"""What runs write into the project is no code: it is not sent, not deleted, and does not block a launch."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from fleet.deploy import DeployOptions, deploy
from fleet.deploy.project import scan_project
from fleet.events import CheckFinished, Event, Notice, RunFinished
from fleet.fleet import Fleet
from fleet.inventory import Inventory, RunSettings, save_inventory
from fleet.preflight import PreflightOptions, preflight
from fleet.runs import run_to_end
from lab.lab import Lab
from tests.deploy.conftest import BASE_PYTHON, Outcome, tree
from tests.runs.fleets import collect, plan_of
from tests.support.needs import need

PROGRAM = """
import json, os, pathlib
out = pathlib.Path("out")
out.mkdir(exist_ok=True)
(out / f"results{os.environ['RANK']}.json").write_text(json.dumps({"loss": 1}))
pathlib.Path("results.csv").write_text("rank " + os.environ["RANK"])
(out / "large.ckpt").write_bytes(bytes(3_000_000))
pathlib.Path("runs").mkdir(exist_ok=True)
pathlib.Path("runs/events").write_text("x")
"""


class Project:
    """A project with two SSH nodes, deployed and run once."""

    def __init__(self, lab: Lab, folder: Path) -> None:
        self.lab = lab
        self.folder = folder
        self.inventory = lab.inventory(
            folder, python=BASE_PYTHON, run=RunSettings(module=None, script="train.py")
        )
        master = replace(self.inventory.master, environment="existing", interpreter=BASE_PYTHON)
        self.inventory = replace(self.inventory, master=master)
        lab.trust(folder / ".dtui/known_hosts")

    def write(self, **files: str) -> None:
        for name, text in files.items():
            (self.folder / name.replace("__", ".")).write_text(text)

    def fleet(self, inventory: Inventory | None = None) -> Fleet:
        return Fleet(inventory or self.inventory, home=self.folder / ".dtui", prompts=self.lab.prompts)

    def on(self, name: str) -> Path:
        return self.lab.node(name).home.folder / self.inventory.node(name).project.removeprefix("~/")

    async def deploy(self) -> Outcome:
        outcome = Outcome()
        async with self.fleet() as fleet:
            async for event in deploy(fleet, fleet.nodes, DeployOptions()):
                outcome.events.append(event)
        return outcome

    async def run(self, number: int) -> list[Event]:
        async with self.fleet() as fleet:
            return await collect(run_to_end(fleet, plan_of(self.inventory, f"run-{number}")))

    async def code_check(self) -> dict[str, str]:
        """Return node -> status of the check that a launch makes."""
        async with self.fleet() as fleet:
            events = [one async for one in preflight(fleet, fleet.nodes, PreflightOptions(checks=["code"]))]
        return {one.node: one.status for one in events if isinstance(one, CheckFinished)}

    def listed(self) -> set[str]:
        return {file.path for file in scan_project(self.inventory).files}


@pytest.fixture
async def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Project]:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    folder = tmp_path / "project"
    folder.mkdir()
    async with Lab(2, root=tmp_path / "lab") as lab:
        made = Project(lab, folder)
        made.write(train__py=PROGRAM, vocab__json="[]")
        assert (await made.deploy()).end("node1").ok
        (end,) = [event for event in await made.run(1) if isinstance(event, RunFinished)]
        assert end.outcome == "succeeded", end
        yield made


async def test_a_run_that_writes_into_the_project_changes_no_deploy_and_blocks_no_launch(
    project: Project,
) -> None:
    assert (project.folder / "out/results0.json").exists()
    assert project.listed() == {"train.py", "vocab.json"}
    assert set((await project.code_check()).values()) == {"ok"}

    outcome = await project.deploy()
    assert [outcome.end(name).bytes_sent for name in ("node1", "node2")] == [0, 0]
    (notice,) = outcome.of(Notice, "")
    assert notice.text.startswith("left alone: 4 files, 2.9 MiB written by runs (out/large.ckpt, ")
    assert "!/out/large.ckpt" in notice.remedy
    for name in ("node1", "node2"):
        assert {"out/large.ckpt", "results.csv", "runs/events"} < set(tree(project.on(name)))
    assert (project.on("node2") / "results.csv").read_text() == "rank 2"

    # Code that was written meanwhile is code, also new files of a configuration.
    project.write(train__py=PROGRAM + "#", new__yaml="a: 1")
    assert project.listed() == {"train.py", "vocab.json", "new.yaml"}
    assert set((await project.code_check()).values()) == {"ok", "fail"}


async def test_a_file_that_was_sent_once_and_is_rewritten_by_each_run_stays_where_it_is(
    project: Project,
) -> None:
    project.write(__dtuiignore="!/results.csv\n")
    await project.deploy()
    assert (project.on("node2") / "results.csv").read_text() == "rank 0"
    (project.folder / ".dtuiignore").unlink()
    await project.run(2)
    outcome = await project.deploy()
    assert outcome.end("node2").ok
    assert (project.on("node2") / "results.csv").read_text() == "rank 2"
    assert not outcome.of(Notice, "node2")
    assert set((await project.code_check()).values()) == {"ok"}


async def test_the_inventory_is_edited_without_a_deploy(project: Project) -> None:
    for place in ("nodes.yaml", "configs/nodes.yaml"):
        path = project.folder / place
        save_inventory(project.inventory, path)
        project.inventory = replace(project.inventory, source=path)
        assert set((await project.code_check()).values()) == {"ok"}
        path.unlink()


async def test_patterns_of_the_inventory_and_files_that_git_tracks(project: Project) -> None:
    need("git")
    project.write(report__md="written by hand")
    project.inventory = replace(project.inventory, outputs=("*.md",))
    assert project.listed() == {"train.py", "vocab.json"}
    git = ["git", "-C", str(project.folder), "-c", "user.name=a", "-c", "user.email=a@b"]
    subprocess.run([*git, "init", "-q"], check=True)
    subprocess.run([*git, "add", "results.csv"], check=True)
    assert project.listed() == {"train.py", "vocab.json", "results.csv"}


async def test_what_changes_after_the_run_is_code(project: Project) -> None:
    later = (project.folder / ".dtui/runs/run-1/status.json").stat().st_mtime + 60
    os.utime(project.folder / "results.csv", (later, later))
    assert project.listed() == {"train.py", "vocab.json", "results.csv"}


@pytest.mark.parametrize("place", ["launch.log", "sub/launch.log"])
def test_what_a_command_prints_into_is_no_code(tmp_path: Path, place: str) -> None:
    for name in ("train.py", "sub/a.txt", place):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    program = (
        "import sys; from pathlib import Path; from fleet.deploy.project import scan_project\n"
        "from fleet.inventory import Inventory, RunSettings, default_master\n"
        "root = Path(sys.argv[1]); run = RunSettings(module=None, script='train.py')\n"
        "found = scan_project(Inventory(project=root, master=default_master(root), run=run))\n"
        "print(*sorted(file.path for file in found.files))\n"
    )
    log = tmp_path / place
    with log.open("wb") as output:
        subprocess.run(
            [sys.executable, "-c", program, str(tmp_path)],
            stdout=output,
            check=True,
            cwd=log.parent,
            env={**os.environ, "PYTHONPATH": str(Path(__file__).parent.parent.parent)},
        )
    assert log.read_text().split() == ["sub/a.txt", "train.py"]
