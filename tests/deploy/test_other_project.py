"""Two projects with one inventory: a deploy does not replace the other project's files without a yes."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from agent.wire.message import Message
from fleet.deploy import DeployOptions, deploy
from fleet.deploy.deploy import preview
from fleet.events import FileChange
from fleet.fleet import Fleet
from fleet.inventory import RunSettings
from lab.lab import Lab
from tests.deploy.conftest import BASE_PYTHON, Outcome, tree

FIRST = {"train.py": "1", "model/a.py": "1", "model/b.py": "1"}
SECOND = {"train.py": "22", "other.py": "2"}


class Projects:
    """An SSH node that two projects of this machine have as the same folder."""

    def __init__(self, lab: Lab, tmp_path: Path) -> None:
        self.lab = lab
        self.folder = tmp_path / "on-node"
        self.asked: list[str] = []
        self.places = {"first": tmp_path / "first", "second": tmp_path / "second"}
        for place, files in zip(self.places.values(), (FIRST, SECOND), strict=True):
            self.write(place, files)
            lab.trust(place / ".dtui/known_hosts")

    def write(self, place: Path, files: dict[str, str]) -> None:
        for name, text in files.items():
            (place / name).parent.mkdir(parents=True, exist_ok=True)
            (place / name).write_text(text)

    async def deploy(self, place: Path, *, answer: bool | None = None, dry_run: bool = False) -> Outcome:
        async def ask(question: Message) -> bool:
            self.asked.append(question)
            return bool(answer)

        run = RunSettings(module=None, script="train.py")
        inventory = self.lab.inventory(place, run=run, python=BASE_PYTHON)
        (node,) = inventory.workers
        node = replace(node, project=str(self.folder))
        options = DeployOptions(confirm=None if answer is None else ask)
        outcome = Outcome()
        fleet = Fleet(inventory.with_workers((node,)), home=place / ".dtui", prompts=self.lab.prompts)
        async with fleet:
            events = preview(fleet, [node]) if dry_run else deploy(fleet, [node], options)
            async for event in events:
                outcome.events.append(event)
        return outcome

    @property
    def files(self) -> dict[str, str]:
        return {name: data.decode() for name, data in tree(self.folder).items()}


@pytest.fixture
async def projects(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Projects]:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    async with Lab(1, root=tmp_path / "lab") as lab:
        made = Projects(lab, tmp_path)
        assert (await made.deploy(made.places["first"])).end().ok
        yield made


async def test_without_a_terminal_it_is_refused_and_nothing_changes(projects: Projects) -> None:
    outcome = await projects.deploy(projects.places["second"])
    assert not outcome.end().ok
    assert str(projects.places["first"]) in outcome.end().detail
    assert "`project` of node1" in outcome.end().remedy
    assert projects.files == FIRST
    dry = await projects.deploy(projects.places["second"], dry_run=True)
    assert {change.action for change in dry.of(FileChange)} == {"add", "replace", "delete"}


async def test_a_no_refuses_and_a_yes_takes_the_folder_over(projects: Projects) -> None:
    assert not (await projects.deploy(projects.places["second"], answer=False)).end().ok
    assert projects.files == FIRST
    assert (await projects.deploy(projects.places["second"], answer=True)).end().ok
    assert projects.files == SECOND
    assert len(projects.asked) == 2
    assert "deletes 2 files of it and replaces 1 file" in projects.asked[0]
    # From now on the folder is the second project's.
    assert not (await projects.deploy(projects.places["first"])).end().ok
    (projects.places["second"] / "other.py").unlink()
    assert (await projects.deploy(projects.places["second"])).end().ok
    assert projects.files == {"train.py": "22"}


async def test_a_project_that_has_moved_is_the_same(projects: Projects) -> None:
    moved = projects.places["first"].rename(projects.places["first"].with_name("moved"))
    (moved / "model/b.py").unlink()
    assert (await projects.deploy(moved)).end().ok
    assert projects.files == {name: "1" for name in FIRST if name != "model/b.py"}


async def test_a_second_deploy_that_only_adds_files_asks_nothing(projects: Projects) -> None:
    place = projects.places["second"]
    for path in (place / "train.py", place / "other.py"):
        path.unlink()
    projects.write(place, {**FIRST, "more.py": ""})
    assert (await projects.deploy(place)).end().ok
    assert projects.files == {**FIRST, "more.py": ""}
