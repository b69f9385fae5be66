"""The console's operations on a fleet, as a protocol for screens and tests."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from msgspec import Struct

from agent.wire.message import Message
from fleet.errors import FleetError
from fleet.events import Event

if TYPE_CHECKING:
    from fleet.preflight.fixes import Fix
    from fleet.telemetry import History, Meter

Agreed = Callable[["Fix"], Awaitable[bool]]


class NodeCard(Struct, frozen=True):
    """What a screen shows of a node's inventory entry."""

    name: str
    address: str
    transport: str = ""
    #: Of the transport, as they are entered.
    options: tuple[tuple[str, str], ...] = ()
    user: str = ""
    gpus: str = ""
    project: str = ""
    tags: tuple[str, ...] = ()
    is_master: bool = False


class RunCard(Struct, frozen=True):
    """One run of the project's history; ``outcome`` is empty while it runs or when it is unknown."""

    run: str
    started: float
    finished: float | None
    outcome: str
    cause: Message
    world_size: int
    nodes: int
    #: Digests of the configuration and the code that it was started with; empty when not recorded.
    config: str = ""
    code: str = ""
    #: The names of its nodes, in the order of their ranks.
    members: tuple[str, ...] = ()


class Draft(Struct, frozen=True):
    """A node as the user enters it; ``address`` may be followed by ``:port``. Empty fields have defaults."""

    name: str
    address: str
    transport: str = ""
    #: Of the transport, as they are entered.
    options: tuple[tuple[str, str], ...] = ()
    user: str = ""
    gpus: str = ""
    tags: str = ""


class RefusedError(FleetError):
    """The operation is rejected; the text has the reason and what to change."""


class Operations(Protocol):
    """Operations as streams of events; closing a stream early cancels its operation, but never a run."""

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
        """Whether the inventory marks these machines as production."""

    @property
    def resumes(self) -> bool:
        """Whether the run's program takes the checkpoint from which it resumes."""

    def nodes(self) -> Sequence[NodeCard]:
        """Return the nodes, the master first."""

    def runs(self) -> Sequence[RunCard]:
        """Return the runs of the project, the newest first."""

    def recorded(self, run: str) -> Sequence[Event]:
        """Return the events of a run of the history."""

    def settings(self, run: str) -> Mapping[str, str]:
        """Return the settings of the configuration that a run was started with, empty when not kept."""

    def meter(self) -> Meter:
        """Return a new meter with the project's limits and prices; raises RefusedError."""

    def sampled(self, run: str) -> Sequence[str]:
        """Return the nodes whose load is kept of a run."""

    def history(self, run: str, node: str, wanted: Callable[[str], bool]) -> History:
        """Return a node's recorded load of a run, of the series wanted; empty without one."""

    def watch(self) -> AsyncIterator[Event]:
        """Links, facts and load of all nodes, for as long as it is read."""

    def probe(self, nodes: Sequence[str]) -> AsyncIterator[Event]:
        """Connect to nodes and read their facts again."""

    def preflight(self, nodes: Sequence[str], checks: Sequence[str] = ()) -> AsyncIterator[Event]:
        """Check nodes; all checks when none is named."""

    def fix(self, troubles: Mapping[str, Sequence[str]], agreed: Agreed) -> AsyncIterator[Event]:
        """Fix what checks found (node -> names of checks), each fix when ``agreed`` to, and check again."""

    def deploy(self, nodes: Sequence[str], *, dry_run: bool = False) -> AsyncIterator[Event]:
        """Deploy the project to nodes; ``dry_run`` only reports what would change and what would start."""

    def up(self, nodes: Sequence[str]) -> AsyncIterator[Event]:
        """Check nodes, deploy to them, start a run and follow it to its end."""

    def launch(self, nodes: Sequence[str], *, resume: str = "") -> AsyncIterator[Event]:
        """Start a run on nodes and follow it to its end.

        ``resume`` is a checkpoint's path, or ``none``, for a program that ``resumes``; empty: as it likes.
        """

    def attach(self, run: str) -> AsyncIterator[Event]:
        """Follow a run that was started before."""

    def stop(self, run: str, *, followed: bool) -> AsyncIterator[Event]:
        """End a run on all its nodes; ``followed``: a stream that follows it is open."""

    def sample(self, run: str, text: str) -> AsyncIterator[Event]:
        """Draw a plan for a text by a run's network; the last event is a PlanDrawn."""

    def stacks(self, run: str) -> AsyncIterator[Event]:
        """Read the Python stacks of a run's ranks: a StacksRead for each node as it answers."""

    def add_node(self, draft: Draft) -> None:
        """Add a node to the inventory; raises RefusedError."""

    def remove_nodes(self, names: Sequence[str]) -> None:
        """Take nodes out of the inventory; raises RefusedError."""

    def import_workers(self, path: Path) -> int:
        """Add the nodes of a workers.json; returns how many; raises RefusedError."""

    def check_inventory(self, text: str) -> Sequence[Message]:
        """Return what is wrong with an inventory's text, each fault with its place."""

    def check_config(self, text: str) -> Sequence[Message]:
        """Return the faults that the run's program finds in its configuration's text. Blocks briefly."""

    def reload(self) -> None:
        """Read the inventory again; raises RefusedError."""

    async def close(self) -> None:
        """Close the connections to all nodes. Runs keep running."""
