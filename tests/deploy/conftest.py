from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import pytest

from fleet.deploy import DeployOptions, deploy
from fleet.deploy.deploy import check_files, configure, preview
from fleet.deploy.options import Configure
from fleet.events import Event, NodeDeployed, StageChanged
from fleet.fleet import Fleet
from fleet.inventory import Inventory, Node, RunSettings
from fleet.inventory.model import DataSettings
from tests.support.login import write_profile
from tests.support.wheels import install_uv
from transports.base import Transport
from transports.registry import open_transport

E = TypeVar("E", bound=Event)

#: The Python below the virtual environment: it has no torch, so looking at it takes no time.
BASE_PYTHON = str(Path(sys._base_executable).resolve())  # type: ignore[attr-defined]


@dataclass
class Outcome:
    """The events of one deploy."""

    events: list[Event] = field(default_factory=list)

    def of(self, kind: type[E], node: str = "node1") -> list[E]:
        return [event for event in self.events if isinstance(event, kind) and event.node == node]

    def end(self, node: str = "node1") -> NodeDeployed:
        (end,) = self.of(NodeDeployed, node)
        return end

    def stages(self, node: str = "node1") -> dict[str, str]:
        return {event.stage: event.state for event in self.of(StageChanged, node)}

    def details(self, node: str = "node1") -> dict[str, str]:
        return {event.stage: event.detail for event in self.of(StageChanged, node)}


@dataclass
class Site:
    """A source folder, and nodes that are folders of this machine."""

    path: Path

    def __post_init__(self) -> None:
        self.source = self.path / "source"
        self.source.mkdir()
        #: The file that the inventory was read from.
        self.inventory: Path | None = None
        #: What nodes.yaml has as `data` and as `run`.
        self.data: DataSettings | None = None
        self.run = RunSettings()

    def write(self, files: dict[str, str | bytes], root: Path | None = None) -> None:
        for name, contents in files.items():
            place = (root or self.source) / name
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(contents.encode() if isinstance(contents, str) else contents)

    def node(self, name: str = "node1", project: Path | None = None) -> Node:
        return Node(
            name=name,
            address="127.0.0.1",
            transport="local",
            project=str(project or self.path / name),
            environment="existing",
            interpreter=BASE_PYTHON,
        )

    def fleet(self, *nodes: Node, transports: Callable[..., Transport] = open_transport) -> Fleet:
        master = Node(name="master", transport="local", project=str(self.source))
        inventory = Inventory(
            project=self.source,
            master=master,
            workers=nodes,
            source=self.inventory,
            run=self.run,
            data=self.data,
        )
        return Fleet(inventory, home=self.source / ".dtui", transports=transports)

    async def deploy(
        self,
        *nodes: Node,
        options: DeployOptions | None = None,
        transports: Callable[..., Transport] = open_transport,
        watch: Callable[[Event], None] = lambda event: None,
    ) -> Outcome:
        nodes = nodes or (self.node(),)
        outcome = Outcome()
        async with self.fleet(*nodes, transports=transports) as fleet:
            async for event in deploy(fleet, nodes, options or DeployOptions()):
                outcome.events.append(event)
                watch(event)
        return outcome

    async def preview(self) -> Outcome:
        node = self.node()
        async with self.fleet(node) as fleet:
            return Outcome([event async for event in preview(fleet, [node])])

    async def check(self, *nodes: Node, force: bool = False) -> Outcome:
        nodes = nodes or (self.node(),)
        async with self.fleet(*nodes) as fleet:
            return Outcome([event async for event in check_files(fleet, nodes, force=force)])

    async def configure(self, files: Configure) -> Outcome:
        node = self.node()
        async with self.fleet(node) as fleet:
            options = DeployOptions(configure=files)
            return Outcome([event async for event in configure(fleet, [node], options)])

    def files(self, name: str = "node1") -> dict[str, bytes]:
        return tree(self.path / name)


def tree(root: Path) -> dict[str, bytes]:
    return {
        path.relative_to(root).as_posix(): path.read_bytes()
        for path in root.rglob("*")
        if path.is_file() and ".dtui" not in path.relative_to(root).parts
    }


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Site:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    write_profile(tmp_path / "home")
    return Site(tmp_path)


@pytest.fixture(scope="session")
def uv_program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A uv, which the node of a test gets where a login finds it."""
    return install_uv(tmp_path_factory.mktemp("uv"))
