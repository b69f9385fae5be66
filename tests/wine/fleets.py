"""A small fleet of Windows nodes for the tests of operations."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from pathlib import Path, PureWindowsPath
from typing import Any, TypeVar, cast

from agent.wire.facts import Facts
from agent.wire.operations import OPERATIONS
from fleet.events import Event
from fleet.facts import NodeFacts, own_part
from fleet.fleet import Fleet
from fleet.inventory import RunSettings
from lab.lab import Lab
from lab.node import LabNode
from lab.wine.machine import WindowsMachine

E = TypeVar("E", bound=Event)

DEADLINE = 180.0
NODES = ("node1", "node2")


class Site:
    """A project on the master, and Windows nodes: node1 by SSH with Python 3.9, node2 by WinRM with 3.11."""

    def __init__(self, lab: Lab, machine: WindowsMachine, folder: Path) -> None:
        self.lab = lab
        self.machine = machine
        self.source = folder / "project"
        self.source.mkdir()
        lab.trust(self.source / ".dtui" / "known_hosts")
        run = RunSettings(module=None, script="program.py", config=None)
        self.inventory = lab.inventory(self.source, run=run)
        self.fleet = Fleet(self.inventory, home=self.source / ".dtui", prompts=lab.prompts)

    def write(self, files: dict[str, str | bytes], root: Path | None = None) -> None:
        for name, contents in files.items():
            place = (root or self.source) / name
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(contents.encode() if isinstance(contents, str) else contents)

    def project(self, node: str) -> Path:
        """The node's project folder, seen from here."""
        return self.lab.node(node).home.folder / self.inventory.node(node).project.removeprefix("~/")

    def windows_project(self, node: str) -> str:
        relative = self.project(node).relative_to(self.machine.drive)
        return str(PureWindowsPath("C:\\", relative))

    async def call(self, name: str, operation: str, **arguments: Any) -> dict[str, Any]:
        node = self.inventory.node(name)
        link = await self.fleet.link(node)
        if operation == "probe":
            arguments.setdefault("master_address", "")
        return await link.call(OPERATIONS[operation], {"project": node.project, **arguments})

    async def facts(self) -> dict[str, NodeFacts]:
        """The facts of both nodes, as planning takes them."""
        return {
            name: own_part(
                self.inventory.node(name),
                cast("Facts", await self.call(name, "probe", master_address=self.lab.master_address)),
            )
            for name in NODES
        }

    def lab_node(self, node: str) -> LabNode:
        return self.lab.node(node)


@asynccontextmanager
async def site(machine: WindowsMachine, folder: Path) -> AsyncIterator[Site]:
    async with Lab(2, winrm=1, windows=machine) as lab:
        made = Site(lab, machine, folder)
        async with made.fleet:
            yield made


async def collect(events: AsyncIterator[Event]) -> list[Event]:
    async with asyncio.timeout(DEADLINE):
        return [event async for event in events]


def of(events: Iterable[Event], kind: type[E]) -> list[E]:
    return [event for event in events if isinstance(event, kind)]


async def until(ready: Callable[[], Any]) -> Any:
    """Wait for a condition that another process brings about."""
    async with asyncio.timeout(DEADLINE):
        while not (result := ready()):
            await asyncio.sleep(0.02)
    return result
