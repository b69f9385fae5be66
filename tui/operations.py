"""What the console asks of a fleet, as a protocol: screens and tests need no more than this."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from fleet.events import Event
from fleet.frozen import frozen

if TYPE_CHECKING:
    from fleet.preflight.fixes import Fix
    from fleet.telemetry import History, Meter

Agreed = Callable[["Fix"], Awaitable[bool]]


@frozen
class NodeCard:
    """What the inventory says of a node, as far as a screen shows it."""

    name: str
    address: str
    transport: str = ""
    user: str = ""
    gpus: str = ""
    project: str = ""
    tags: tuple[str, ...] = ()
    is_master: bool = False


@frozen
class RunCard:
    """One run of the project's history; ``outcome`` is empty while it runs or when nobody knows."""

    run: str
    started: float
    finished: float | None
    outcome: str
    cause: str
    world_size: int
    nodes: int
    #: Digests of the configuration and the code that it was started with; empty when not recorded.
    config: str = ""
    code: str = ""
    #: The names of its nodes, in the order of their ranks.
    members: tuple[str, ...] = ()


@frozen
class Draft:
    """A node as a person enters it; ``address`` may be followed by ``:port``."""

    name: str
    address: str
    transport: str = "ssh"
    user: str = ""
    gpus: str = ""
    tags: str = ""


class Refused(Exception):
    """The operation can't be done as asked; the text says why and what to change."""


class Operations(Protocol):
    """Every stream ends by itself; closing it early cancels what it does, but never a run."""

    @property
    def project(self) -> str:
        """The project's name."""

    @property
    def inventory_path(self) -> Path | None:
        """The inventory's file, if there is one."""

    @property
    def config_path(self) -> Path | None:
        """The training configuration's file, if there is one."""

    @property
    def production(self) -> bool:
        """Whether the inventory says that what is done here counts."""

    @property
    def resumes(self) -> bool:
        """Whether the run's program can be told which checkpoint to go on from."""

    def nodes(self) -> Sequence[NodeCard]:
        """Return the nodes, the master first."""

    def runs(self) -> Sequence[RunCard]:
        """Return the runs of the project, the newest first."""

    def recorded(self, run: str) -> Sequence[Event]:
        """Return the events of a run of the history."""

    def settings(self, run: str) -> Mapping[str, str]:
        """Return the settings of the configuration that a run was started with, empty when not kept."""

    def meter(self) -> Meter:
        """Return a new meter with the project's limits and prices; raises Refused."""

    def sampled(self, run: str) -> Sequence[str]:
        """Return the nodes whose load is kept of a run."""

    def history(self, run: str, node: str, wanted: Callable[[str], bool]) -> History:
        """Return the load of a node that is kept of a run, of the series wanted; empty when none is."""

    def watch(self) -> AsyncIterator[Event]:
        """Links, facts and load of all nodes, for as long as it is read."""

    def probe(self, nodes: Sequence[str]) -> AsyncIterator[Event]:
        """Connect to nodes and read their facts anew."""

    def preflight(self, nodes: Sequence[str], checks: Sequence[str] = ()) -> AsyncIterator[Event]:
        """Check nodes; all checks when none is named."""

    def mend(self, troubles: Mapping[str, Sequence[str]], agreed: Agreed) -> AsyncIterator[Event]:
        """Mend what checks found (node -> names of checks), each fix when ``agreed`` to, and check again."""

    def deploy(self, nodes: Sequence[str], *, dry_run: bool = False) -> AsyncIterator[Event]:
        """Put the project on nodes; with ``dry_run`` only say what would be sent."""

    def up(self, nodes: Sequence[str]) -> AsyncIterator[Event]:
        """Check nodes, deploy to them, start a run and follow it to its end."""

    def launch(self, nodes: Sequence[str], *, resume: str = "") -> AsyncIterator[Event]:
        """Start a run on nodes and follow it to its end.

        ``resume`` is a checkpoint's path, or ``none``, for a program that ``resumes``; empty: as it likes.
        """

    def attach(self, run: str) -> AsyncIterator[Event]:
        """Follow a run that was started before."""

    def stop(self, run: str, *, followed: bool) -> AsyncIterator[Event]:
        """End a run on all its nodes; ``followed`` tells that a stream which follows it is open."""

    def sample(self, run: str, text: str) -> AsyncIterator[Event]:
        """Draw a plan for a text by a run's network; the last event is a PlanDrawn."""

    def add_node(self, draft: Draft) -> None:
        """Add a node to the inventory; raises Refused."""

    def remove_nodes(self, names: Sequence[str]) -> None:
        """Take nodes out of the inventory; raises Refused."""

    def import_workers(self, path: Path) -> int:
        """Add the nodes of a workers.json; returns how many; raises Refused."""

    def check_inventory(self, text: str) -> Sequence[str]:
        """Return what is wrong with an inventory's text, each fault with its place."""

    def check_config(self, text: str) -> Sequence[str]:
        """Return what the run's program says is wrong with its configuration's text. Blocks for a moment."""

    def reload(self) -> None:
        """Read the inventory again; raises Refused."""

    async def close(self) -> None:
        """Let go of all nodes. Runs go on."""
