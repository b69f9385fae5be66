"""A master that is Windows, as most users' is: the wheel's commands and console, with two Windows workers.

Passwords are in its credential store; one worker is reached by SSH and one by WinRM.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from lab.lab import Lab
from lab.wine.home import WindowsHome
from lab.wine.machine import WindowsMachine
from lab.wine.process import WineProcess
from tests.packaging.windows_site import on_z

pytestmark = [pytest.mark.wine, pytest.mark.timeout(240), pytest.mark.asyncio(loop_scope="module")]

DEADLINE = 180.0
QUICK = """
import os, sys
print("rank", os.environ["RANK"], "of", os.environ["WORLD_SIZE"], "on", sys.platform, "마스터", flush=True)
"""
PATIENT = """
import os, pathlib, time
print("rank", os.environ["RANK"], "is here", flush=True)
while not pathlib.Path(os.environ["DTUI_STOP_FILE"]).exists():
    time.sleep(0.05)
print("asked to stop", flush=True)
"""
REMEMBER = """
import json, keyring, sys
for account, password in json.load(sys.stdin).items():
    keyring.set_password("dtui", account, password)
"""
#: Drives the console by its keys, as Textual's own tests do: no terminal is here.
CONSOLE = """
import asyncio, pathlib, sys
from tui.app import ConsoleApp
from tui.cli.prompts import TerminalPrompts
from tui.operations.fleet_operations import FleetOperations

project = pathlib.Path.cwd()

async def until(pilot, condition, what):
    for _ in range(1800):
        if condition():
            return
        await pilot.pause(0.05)
    sys.exit(what + ": " + repr(pilot.app.engine.state.notices))

async def drive():
    inventory = project / "configs" / "nodes.yaml"
    operations = FleetOperations(inventory, project=project, prompts=TerminalPrompts())
    app = ConsoleApp(operations)
    async with app.run_test(size=(120, 40)) as pilot:
        state = lambda: app.engine.state
        up = lambda: [name for name, node in state().nodes.items() if node.facts]
        await until(pilot, lambda: len(up()) == 3, "connecting")
        await pilot.press("u", "y")
        await until(pilot, lambda: state().run is not None and state().run.finished is not None, "the run")
        print("console:", state().run.outcome, app.mode_screen.mode)

asyncio.run(drive())
"""


class Master:
    """A person's login on the Windows master, in the project's folder."""

    def __init__(self, machine: WindowsMachine, lab: Lab, site: Path) -> None:
        self._machine = machine
        self.python = machine.python()
        home = WindowsHome(machine, "master", "kim", self.python)
        self.folder = home.folder + r"\floor plans"
        self.project = machine.path(self.folder)
        home.as_home(lab.id, {}).make()
        self.project.mkdir()
        self._variables = home.variables(lab.id, {"PYTHONPATH": on_z(site)})

    def write(self, name: str, text: str) -> None:
        place = self.project / name
        place.parent.mkdir(exist_ok=True)
        place.write_text(text, "utf-8")

    def start(self, *words: str) -> WineProcess:
        line = " ".join([self.python, *words])
        return self._machine.run("winrm", line, variables=self._variables, folder=self.folder)

    async def run(self, *words: str, stdin: str = "", status: int = 0) -> str:
        """Return stdout and stderr of a program that ends with ``status``."""
        process = self.start(*words)
        try:
            async with asyncio.timeout(DEADLINE):
                process.stdin.write(stdin.encode())
                process.stdin.close()
                out, err = await asyncio.gather(
                    asyncio.to_thread(process.stdout.read), asyncio.to_thread(process.stderr.read)
                )
                told = out.decode("utf-8") + err.decode("utf-8")
                assert await asyncio.to_thread(process.wait) == status, told
        finally:
            process.kill_tree()
        return told

    async def dtui(self, *words: str, status: int = 0) -> str:
        return await self.run("-m", "tui", *words, status=status)


def inventory(master: Master, lab: Lab) -> str:
    def node(**keys: Any) -> str:
        return json.dumps({"gpus": 0, "environment": "existing", "interpreter": master.python, **keys})

    workers = [
        node(
            name=one.name, address=one.address, port=one.port, user=one.user, transport=one.kind,
            python=master.python,
        )
        for one in lab.nodes
    ]  # fmt: skip
    return "\n".join(
        [
            "project: ..",
            f"master: {node(name='master', address=lab.master_address)}",
            "run: {script: train.py}",
            f"nodes: [{', '.join(workers)}]",
        ]
    )


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def master(machine: WindowsMachine, site: Path) -> AsyncIterator[Master]:
    async with Lab(2, winrm=1, windows=machine) as lab:
        made = Master(machine, lab, site)
        made.write("configs/nodes.yaml", inventory(made, lab))
        lab.trust(made.project / ".dtui" / "known_hosts")
        passwords = {f"{one.user}@{one.address}:{one.port}": one.password for one in lab.nodes}
        made.write("remember.py", REMEMBER)
        await made.run("remember.py", stdin=json.dumps(passwords))
        yield made


async def test_one_command_checks_deploys_and_runs_on_all(master: Master) -> None:
    master.write("train.py", QUICK)
    master.write("data/평면도.txt", "거실")
    told = await master.dtui("up")
    for rank in range(3):
        assert f"rank {rank} of 3 on win32 마스터" in told
    assert told.rstrip().endswith("succeeded")
    assert "only recorded" not in told, "a run controller keeps the run"
    again = await master.dtui("deploy")
    assert again.count("deployed, 0 bytes sent") == 3, again


@pytest.mark.full
async def test_a_run_outlives_its_console_and_is_stopped_by_another(master: Master) -> None:
    master.write("train.py", PATIENT)
    console = master.start("-m", "tui", "up")
    try:
        here: set[str] = set()
        async with asyncio.timeout(DEADLINE):
            while len(here) < 3:
                line = (await asyncio.to_thread(console.stdout.readline)).decode("utf-8")
                assert line, console.stderr.read().decode("utf-8")
                here |= {line.strip()} if line.rstrip().endswith("is here") else set()
    finally:
        console.kill_tree()
    assert (await master.dtui("status")).count("running") >= 3
    await master.dtui("stop")
    told = await master.dtui("status")
    assert "stopped" in told.splitlines()[0], told
    assert (await master.dtui("logs")).count("asked to stop") == 3


@pytest.mark.full
async def test_the_console_goes_the_whole_way_by_keyboard(master: Master) -> None:
    master.write("train.py", QUICK)
    master.write("drive.py", CONSOLE)
    assert "console: succeeded monitor" in await master.run("drive.py")
