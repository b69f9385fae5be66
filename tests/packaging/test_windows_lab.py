"""Nodes made up on a Windows machine, as `dtui demo` makes them there: real SSH on its own loopback."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab.wine.home import WindowsHome
from lab.wine.machine import WindowsMachine
from tests.packaging.windows_site import on_z
from tests.support.own_network import own_network

pytestmark = [pytest.mark.wine, pytest.mark.timeout(170)]

PROGRAM = """
import asyncio, pathlib
from fleet.events import LogChunk, RunFinished
from fleet.fleet import Fleet
from fleet import commands
from fleet.inventory import RunSettings
from fleet.runs.steps import RunToEnd
from fleet.steps import Job, run_steps
from lab.errors import LabError
from lab.lab import Lab

project = pathlib.Path.cwd()
(project / "train.py").write_text("import os; print('rank', os.environ['RANK'], flush=True)")

try:
    Lab(2, winrm=1)
except LabError as error:
    print(error)

async def main():
    async with Lab(2) as lab:
        home = project / ".dtui"
        lab.trust(home / "known_hosts")
        inventory = lab.inventory(project, run=RunSettings(module=None, script="train.py"))
        async with Fleet(inventory, home=home, prompts=lab.prompts) as fleet:
            async for event in run_steps(Job(fleet, fleet.nodes), commands.up(RunToEnd())):
                if isinstance(event, LogChunk):
                    print(event.node, event.data.decode().strip())
                if isinstance(event, RunFinished):
                    print(event.outcome)
    print("left behind:", lab.root.exists())

asyncio.run(main())
"""


def test_a_run_over_nodes_made_up_on_windows(site: Path) -> None:
    # Wine takes an address of 127.0.0.0/8 for any other, so labs beside this one would be in its way.
    with own_network(), WindowsMachine() as machine:
        home = WindowsHome(machine, "desk", "kim", machine.python())
        home.as_home("desk", {}).make()
        (machine.path(home.folder) / "whole.py").write_text(PROGRAM, "utf-8")
        process = machine.run(
            "winrm",
            f"{home.python} whole.py",
            variables=home.variables("desk", {"PYTHONPATH": on_z(site)}),
            folder=home.folder,
        )
        process.stdin.close()
        out, err = process.stdout.read().decode("utf-8"), process.stderr.read().decode("utf-8")
        assert process.wait() == 0, out + err
    lines = out.splitlines()
    assert lines[0] == "a lab's WinRM nodes need Linux; on Windows all its nodes use SSH"
    assert {"master rank 0", "node1 rank 1", "node2 rank 2"} < set(lines)
    assert lines[-2:] == ["succeeded", "left behind: False"]
