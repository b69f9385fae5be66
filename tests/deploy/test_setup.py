"""Setup commands on real SSH nodes: when they run, in what environment, and what becomes of their output."""

from __future__ import annotations

import json
import venv
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from pathlib import Path

import pytest
from msgspec.structs import replace

from fleet.deploy import DeployOptions, deploy
from fleet.deploy.deploy import configure, preview
from fleet.deploy.scan import scan
from fleet.event_json import to_json
from fleet.events import EnvironmentOutput, Event, StageChanged
from fleet.fleet import Fleet
from fleet.inventory import Node, RunSettings
from fleet.inventory.model import SetupCommand
from fleet.secrets import Secret
from lab.lab import Lab
from tests.deploy.conftest import BASE_PYTHON, Outcome, Site

#: Notes that it ran, and with what.
TOOL = """
import json, os, sys
from pathlib import Path
note = Path(os.environ["DTUI_NODE"] + "-" + sys.argv[1])
note.write_text(note.read_text() + "x" if note.exists() else "x")
names = ("VIRTUAL_ENV", "FROM_USER", "WANDB_API_KEY", "PATH")
print(json.dumps({name: os.environ.get(name) for name in names}))
"""
BOTH = (
    SetupCommand(run=("python", "../tools/tool.py", "first"), inputs=("tools",)),
    SetupCommand(run=("python", "../tools/tool.py", "second"), inputs=("lists/list.txt",)),
)


Work = Callable[[Fleet, Sequence[Node], DeployOptions], AsyncGenerator[Event, None]]


def as_launch(fleet: Fleet, nodes: Sequence[Node], options: DeployOptions) -> AsyncGenerator[Event, None]:
    """What a launch does on the nodes before it starts the ranks."""
    return configure(fleet, nodes, replace(options, configure=lambda node: {}))


class SetupSite:
    """A master and one SSH node, and how often each command has run there."""

    def __init__(self, site: Site, lab: Lab) -> None:
        self.site = site
        self.lab = lab
        self.python = BASE_PYTHON
        self.run = RunSettings(workdir="work", setup=BOTH, env=(("FROM_USER", "$HOME/here"),))
        site.write({"tools/tool.py": TOOL, "work/a.txt": "", "lists/list.txt": "1"})
        lab.trust(site.source / ".dtui/known_hosts")

    @property
    def project(self) -> Path:
        return self.lab.nodes[0].home.folder / self.lab.inventory(self.site.source).workers[0].project[2:]

    async def deploy(self, options: DeployOptions | None = None, work: Work = deploy) -> Outcome:
        inventory = self.lab.inventory(self.site.source, python=self.python, run=self.run)
        outcome = Outcome()
        home = self.site.source / ".dtui"
        async with Fleet(inventory, home=home, prompts=self.lab.prompts) as fleet:
            async for event in work(fleet, inventory.nodes, options or DeployOptions()):
                outcome.events.append(event)
        return outcome

    def ran(self, node: str = "node1") -> list[int]:
        folder = (self.project if node == "node1" else self.site.source) / "work"
        notes = [folder / f"{node}-{name}" for name in ("first", "second")]
        return [len(note.read_text()) if note.exists() else 0 for note in notes]


@pytest.fixture
async def setup_site(site: Site) -> AsyncIterator[SetupSite]:
    async with Lab(1, root=site.path / "lab") as lab:
        yield SetupSite(site, lab)


def output(outcome: Outcome, node: str = "node1") -> str:
    return "".join(event.text for event in outcome.of(EnvironmentOutput, node))


async def test_commands_run_on_every_node_and_again_only_when_something_has_changed(
    setup_site: SetupSite,
) -> None:
    outcome = await setup_site.deploy()
    for node in ("master", "node1"):
        assert outcome.end(node).ok, outcome.end(node).detail
        assert outcome.details(node)["setup"] == "2 commands"
        assert setup_site.ran(node) == [1, 1]
    home = setup_site.lab.nodes[0].home.folder
    first = json.loads(output(outcome).splitlines()[1])
    assert first["FROM_USER"] == f"{home}/here"
    assert first["PATH"].startswith(str(Path(BASE_PYTHON).parent))
    assert (setup_site.project / ".dtui/setup-node1.log").read_text() == output(outcome)

    again = await setup_site.deploy()
    assert again.details()["setup"] == "unchanged: 2 commands"
    assert setup_site.ran() == [1, 1]

    setup_site.site.write({"lists/list.txt": "22"})
    assert (await setup_site.deploy()).details()["setup"] == "1 of 2 commands"
    assert setup_site.ran() == [1, 2]

    # What a command follows has changed: it runs again, too.
    setup_site.site.write({"tools/other.py": ""})
    await setup_site.deploy()
    assert setup_site.ran() == [2, 3]

    setup_site.run = replace(setup_site.run, env=(("FROM_USER", "other"),))
    await setup_site.deploy()
    assert setup_site.ran() == [3, 4]

    await setup_site.deploy(DeployOptions(setup=True))
    assert setup_site.ran() == [4, 5]


async def test_what_a_command_makes_stays_on_its_node_and_is_no_code(setup_site: SetupSite) -> None:
    makes = (
        "import os, pathlib; node = os.environ['DTUI_NODE']; pathlib.Path('build/deep').mkdir(parents=True);"
    )
    makes += "[pathlib.Path(name).write_text(node) for name in ('build/deep/a.so', 'b.txt', 'a.txt')]"
    setup_site.run = replace(setup_site.run, setup=(SetupCommand(run=("python", "-c", makes), inputs=()),))
    assert (await setup_site.deploy()).end().ok
    again = await setup_site.deploy()
    assert again.details()["setup"] == "unchanged: 1 command"
    for node, folder in (("master", setup_site.site.source), ("node1", setup_site.project)):
        assert (folder / "work/build/deep/a.so").read_text() == node
        assert (folder / "work/b.txt").read_text() == node
    # A file of the project that a command has changed is a file of the project still.
    assert "work/a.txt" in {file.path for file in scan(setup_site.site.source).files}
    setup_site.site.write({".dtuiignore": "!work/b.txt\n"})
    files = {file.path for file in scan(setup_site.site.source).files}
    assert "work/b.txt" in files
    assert "work/build/deep/a.so" not in files


async def test_a_launch_without_a_deploy_leaves_changes_of_files_to_the_next_deploy(
    setup_site: SetupSite,
) -> None:
    await setup_site.deploy()
    setup_site.site.write({"tools/tool.py": TOOL + "# changed"})
    assert (await setup_site.deploy(work=as_launch)).details()["setup"] == "unchanged: 2 commands"
    third = SetupCommand(run=("python", "../tools/tool.py", "third"))
    setup_site.run = replace(setup_site.run, setup=(*BOTH, third))
    assert (await setup_site.deploy(work=as_launch)).details()["setup"] == "1 of 3 commands"
    assert setup_site.ran() == [1, 1]
    await setup_site.deploy()
    assert setup_site.ran() == [2, 2]


async def test_a_command_that_fails_is_named_and_runs_again(setup_site: SetupSite) -> None:
    fails = SetupCommand(run=("python", "-c", "import sys; print('no compiler'); sys.exit(7)"))
    setup_site.run = replace(setup_site.run, setup=(BOTH[0], fails, BOTH[1]))
    outcome = await setup_site.deploy()
    assert not outcome.end().ok
    assert outcome.end().node == "node1"
    assert "python -c" in outcome.end().detail
    assert "ended with exit code 7" in outcome.end().detail
    assert "no compiler" in outcome.end().detail
    assert outcome.stages()["setup"] == "failed"
    assert setup_site.ran() == [1, 0]
    setup_site.run = replace(setup_site.run, setup=BOTH)
    assert (await setup_site.deploy()).details()["setup"] == "1 of 2 commands"
    assert setup_site.ran() == [1, 1]


async def test_a_program_that_the_node_lacks_is_named(setup_site: SetupSite) -> None:
    setup_site.run = replace(setup_site.run, setup=(SetupCommand(run=("no-such-program-of-dtui", "x")),))
    outcome = await setup_site.deploy()
    assert "no-such-program-of-dtui x needs no-such-program-of-dtui" in outcome.end().detail
    assert "is not on this node's PATH" in outcome.end().detail


async def test_pip_of_another_python_is_never_used(setup_site: SetupSite, site: Site) -> None:
    venv.create(site.path / "env", symlinks=True)
    setup_site.python = str(site.path / "env/bin/python")
    setup_site.run = replace(setup_site.run, setup=(SetupCommand(run=("pip", "install", "x")),))
    outcome = await setup_site.deploy()
    assert "pip install x needs pip, and the training environment has none" in outcome.end().detail
    assert "uv pip install" in outcome.end().remedy


async def test_a_secret_reaches_the_commands_and_nothing_that_stays(setup_site: SetupSite) -> None:
    value = "hunter2-4f9c"
    leaks = "import os, sys; print(os.environ['WANDB_API_KEY'][:5], end='', flush=True);"
    leaks += "print(os.environ['WANDB_API_KEY'][5:] + '!'); sys.exit(3)"
    setup_site.run = replace(
        setup_site.run,
        secrets=("WANDB_API_KEY",),
        setup=(BOTH[0], SetupCommand(run=("python", "-c", leaks))),
    )
    outcome = await setup_site.deploy(DeployOptions(secrets={"WANDB_API_KEY": Secret(value)}))
    assert "(not kept)!" in outcome.end().detail
    assert '"WANDB_API_KEY": "(not kept)"' in output(outcome)
    assert not any(value in to_json(event) for event in outcome.events)
    kept = [path for path in setup_site.site.path.rglob("*") if path.is_file()]
    assert not [path for path in kept if value.encode() in path.read_bytes()]


async def test_a_dry_run_runs_no_command(setup_site: SetupSite) -> None:
    outcome = await setup_site.deploy(work=preview)
    assert not [event for event in outcome.of(StageChanged) if event.stage == "setup"]
    assert setup_site.ran() == [0, 0]
