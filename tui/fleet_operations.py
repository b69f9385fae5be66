"""The console's operations on a real fleet.

What only an operation needs is imported when it is asked for: the first frame does not wait for it.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import aclosing
from pathlib import Path
from typing import TYPE_CHECKING

from fleet.events import Event, LinkChanged, RunPlanned
from tui.operations import Agreed, Draft, NodeCard, Refused, RunCard

if TYPE_CHECKING:
    from fleet.fleet import Fleet
    from fleet.inventory import FaultsError, Inventory, Node
    from fleet.runs import RunSummary
    from fleet.telemetry import History, Meter
    from transports.base import Prompts


class FleetOperations:
    """Works on the inventory at ``path``, which need not exist yet, for the project folder ``project``."""

    def __init__(self, path: Path, *, project: Path, prompts: Prompts) -> None:
        self._path = path
        self._folder = project
        self._prompts = prompts
        self._known: Inventory | None = self._read() if path.exists() else None
        self._fleet: Fleet | None = None

    @property
    def project(self) -> str:
        """The project folder's name."""
        return self._root.name

    @property
    def inventory_path(self) -> Path:
        """Where the inventory is, or will be."""
        return self._path

    @property
    def config_path(self) -> Path | None:
        """The file that the program gets as its configuration."""
        handed = self._inventory.run.config_handed
        return None if handed is None else self._root / handed

    @property
    def production(self) -> bool:
        """Whether the inventory says that what is done here counts."""
        return self._known is not None and self._known.production

    @property
    def resumes(self) -> bool:
        """Whether the program is our trainer, which takes ``--resume``."""
        from fleet.inventory.model import DEFAULT_MODULE

        return self._inventory.run.module == DEFAULT_MODULE

    def nodes(self) -> Sequence[NodeCard]:
        """Return the nodes; none at all while the inventory names no worker."""
        if self._known is None or not self._known.workers:
            return ()
        return tuple(_card(node, node is self._inventory.master) for node in self._inventory.nodes)

    def runs(self) -> Sequence[RunCard]:
        """Return the runs launched from this project, the newest first."""
        if not (self._home / "runs").is_dir():
            return ()
        from fleet.runs import find_runs

        return tuple(_run_card(self._home, summary) for summary in reversed(find_runs(self._home)))

    def recorded(self, run: str) -> Sequence[Event]:
        """Return what was recorded of a run."""
        from fleet.runs import RunStore

        return list(RunStore(self._home, run).events())

    def settings(self, run: str) -> Mapping[str, str]:
        """Return the settings that a run was started with."""
        from fleet.runs import RunStore

        return RunStore(self._home, run).origin().settings

    def meter(self) -> Meter:
        """Return a meter that goes on where earlier consoles have stopped counting."""
        from fleet.inventory import FaultsError
        from fleet.telemetry import Meter, load_settings, read_tallies
        from fleet.telemetry.settings import DEFAULT_FILE

        try:
            settings = load_settings(self._root / DEFAULT_FILE)
        except FaultsError as error:
            raise Refused(_first_fault(error)) from error
        return Meter(settings, lambda run: read_tallies(self._home / "runs" / run))

    def sampled(self, run: str) -> Sequence[str]:
        """Return the nodes of which a run's folder has a history, in the inventory's order."""
        from fleet.telemetry import recorded_nodes

        kept = recorded_nodes(self._home / "runs" / run)
        order = [node.name for node in self._inventory.nodes]
        return sorted(kept, key=lambda name: order.index(name) if name in order else len(order))

    def history(self, run: str, node: str, wanted: Callable[[str], bool]) -> History:
        """Return what is kept of a node in a run's folder."""
        from fleet.telemetry import read_history

        return read_history(self._home / "runs" / run, node, wanted)

    async def watch(self) -> AsyncIterator[Event]:
        """Connect to all nodes, tell their facts, then their load once a second."""
        if not self.nodes():
            return
        from fleet.telemetry import watch as watch_load

        fleet = self._open()
        refused: set[str] = set()
        async with aclosing(fleet.connect()) as events:
            async for event in events:
                if isinstance(event, LinkChanged) and event.state == "failed":
                    refused.add(event.node)
                yield event
        reached = [node for node in fleet.nodes if node.name not in refused]
        async for event in watch_load(fleet, reached):
            yield event

    def probe(self, nodes: Sequence[str]) -> AsyncIterator[Event]:
        """Connect to nodes and read their facts anew."""
        return self._open().connect(self._named(nodes))

    def preflight(self, nodes: Sequence[str], checks: Sequence[str] = ()) -> AsyncIterator[Event]:
        """Check nodes; between them and all others where a check is about pairs."""
        from fleet.preflight import BEFORE, PreflightOptions, preflight

        fleet = self._open()
        options = PreflightOptions(checks=tuple(checks) or BEFORE, among=fleet.nodes)
        return preflight(fleet, self._named(nodes), options)

    def mend(self, troubles: Mapping[str, Sequence[str]], agreed: Agreed) -> AsyncIterator[Event]:
        """Mend what checks found, each fix after the person has agreed."""
        from fleet.preflight import PreflightOptions
        from fleet.preflight.mend import offer

        fleet = self._open()
        return offer(fleet, fleet.nodes, troubles, PreflightOptions(), agreed)

    async def deploy(self, nodes: Sequence[str], *, dry_run: bool = False) -> AsyncIterator[Event]:
        """Check and deploy."""
        from fleet.deploy import DeployOptions
        from fleet.up import UpOptions, up

        options = UpOptions(deploying=DeployOptions(dry_run=dry_run), deploy_only=True)
        async with aclosing(up(self._open(), self._named(nodes), options)) as events:
            async for event in events:
                # A dry run lays a run out too; as an event it would look like one that goes on.
                if not isinstance(event, RunPlanned):
                    yield event

    def up(self, nodes: Sequence[str]) -> AsyncIterator[Event]:
        """Go the whole way."""
        from fleet.up import UpOptions, up

        return up(self._open(), self._named(nodes), UpOptions())

    def launch(self, nodes: Sequence[str], *, resume: str = "") -> AsyncIterator[Event]:
        """Start a run with what was deployed before."""
        from fleet.deploy import DeployOptions
        from fleet.up import UpOptions, up

        arguments = ("--resume", resume) if resume else ()
        options = UpOptions(deploying=DeployOptions(skip_deploy=True), arguments=arguments)
        return up(self._open(), self._named(nodes), options)

    def attach(self, run: str) -> AsyncIterator[Event]:
        """Follow a run that was started before, from its first event."""
        from fleet.runs import watch

        return watch(self._open(), run)

    def stop(self, run: str, *, followed: bool) -> AsyncIterator[Event]:
        """End a run on all its nodes."""
        from fleet.runs import stop

        return stop(self._open(), run, collect=not followed)

    def sample(self, run: str, text: str) -> AsyncIterator[Event]:
        """Draw a plan into the run's folder on the master, beside earlier ones."""
        from fleet.runs import RunStore, sample

        plans = RunStore(self._home, run).folder / "plans"
        number = 1
        while (plans / f"plan-{number}.png").exists():
            number += 1
        return sample(self._open(), run, text, plans / f"plan-{number}.png")

    def add_node(self, draft: Draft) -> None:
        """Add a node to the inventory, which is made when there is none."""
        from fleet.inventory import FaultsError, add_node, save_inventory

        address, port = _address_and_port(draft.address)
        fields: dict[str, object] = {"name": draft.name or address, "address": address}
        if port is not None:
            fields["port"] = port
        if draft.transport and draft.transport != "auto":
            fields["transport"] = draft.transport
        if draft.user:
            fields["user"] = draft.user
        if draft.gpus:
            fields["gpus"] = int(draft.gpus) if draft.gpus.isdigit() else draft.gpus
        if draft.tags:
            fields["tags"] = draft.tags.replace(",", " ").split()
        if not draft.address:
            raise Refused("the address is missing")
        try:
            if not self._path.exists():
                save_inventory(self._inventory, self._path)
            add_node(self._path, fields)
        except FaultsError as error:
            raise Refused(_first_fault(error)) from error
        self.reload()

    def remove_nodes(self, names: Sequence[str]) -> None:
        """Take workers out of the inventory."""
        from fleet.inventory import FaultsError, remove_node

        if self._inventory.master.name in names:
            raise Refused("the master can't be removed: dtui runs on it")
        try:
            for name in names:
                remove_node(self._path, name)
        except FaultsError as error:
            raise Refused(_first_fault(error)) from error
        self.reload()

    def import_workers(self, path: Path) -> int:
        """Take the workers of a workers.json into a new inventory."""
        from fleet.inventory import FaultsError, load_workers_json, save_inventory

        if self._inventory.workers:
            raise Refused(f"there are nodes already: add the others, or remove {self._path} first")
        try:
            found = load_workers_json(path, project=self._folder)
            save_inventory(found, self._path)
        except FaultsError as error:
            raise Refused(_first_fault(error)) from error
        self.reload()
        return len(found.workers)

    def check_inventory(self, text: str) -> Sequence[str]:
        """Return the faults of an inventory's text."""
        from fleet.inventory import FaultsError, parse_inventory

        try:
            parse_inventory(text, self._path)
        except FaultsError as error:
            return [str(fault) for fault in error.faults]
        return []

    def check_config(self, text: str) -> Sequence[str]:
        """Let the project's own trainer read the text; a program that is not the trainer is not asked."""
        from tui.config_check import trainer_faults

        path = self.config_path
        if path is None or self._inventory.run.module != "trainer":
            return []
        return trainer_faults(text, name=path.name, project=self._root)

    def reload(self) -> None:
        """Read the inventory again; open links are let go when they are next needed."""
        from fleet.inventory import FaultsError, with_master_address

        try:
            self._known = self._read()
        except FaultsError as error:
            raise Refused(_first_fault(error)) from error
        if self._fleet is not None:
            self._known = self._fleet.inventory = with_master_address(self._known)

    async def close(self) -> None:
        """Let go of all nodes."""
        if self._fleet is not None:
            await self._fleet.close()

    @property
    def _root(self) -> Path:
        """The project's folder: the inventory's, as for the command line, else ours."""
        return self._folder if self._known is None else self._known.project

    @property
    def _home(self) -> Path:
        return self._root / ".dtui"

    @property
    def _inventory(self) -> Inventory:
        """The inventory; one without a file is made when it is first needed, as that imports much."""
        if self._known is None:
            self._known = self._read()
        return self._known

    def _read(self) -> Inventory:
        from fleet.inventory import Inventory, default_master, load_inventory

        if not self._path.exists():
            return Inventory(project=self._folder, master=default_master(self._folder))
        return load_inventory(self._path)

    def _open(self) -> Fleet:
        if self._fleet is None:
            from fleet.fleet import Fleet
            from fleet.inventory import with_master_address

            # Not before: names of nodes are looked up for it, and a name server may take its time.
            self._known = with_master_address(self._inventory)
            self._fleet = Fleet(self._known, home=self._home, prompts=self._prompts)
        return self._fleet

    def _named(self, names: Sequence[str]) -> list[Node]:
        return [node for node in self._open().nodes if node.name in names]


def _card(node: Node, is_master: bool) -> NodeCard:
    gpus = node.gpus
    return NodeCard(
        node.name,
        node.address,
        transport=node.transport,
        user=node.user or "",
        gpus="" if gpus is None else f"{gpus if isinstance(gpus, int) else len(gpus)}",
        project=node.project,
        tags=node.tags,
        is_master=is_master,
    )


def _run_card(home: Path, summary: RunSummary) -> RunCard:
    from fleet.runs import RunStore

    plan, finished = summary.plan, summary.finished
    first = next(RunStore(home, summary.run).events(), None)
    planned = first if isinstance(first, RunPlanned) else None
    return RunCard(
        summary.run,
        started=first.at if first is not None else 0.0,
        finished=finished.at if finished else None,
        outcome=finished.outcome if finished else "",
        cause=finished.cause if finished else "",
        world_size=plan.world_size,
        nodes=len(plan.nodes),
        config=planned.config_digest if planned else "",
        code=planned.code_digest if planned else "",
        members=tuple(part.node for part in plan.nodes),
    )


def _address_and_port(typed: str) -> tuple[str, int | None]:
    """Take ``host:port`` apart; the colons of an IPv6 address are its own."""
    address, colon, port = typed.rpartition(":")
    if colon and port.isdecimal() and ":" not in address:
        return address, int(port)
    return typed, None


def _first_fault(error: FaultsError) -> str:
    faults = error.faults
    more = f" (and {len(faults) - 1} more)" if len(faults) > 1 else ""
    return f"{faults[0]}{more}"
