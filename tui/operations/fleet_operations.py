"""The console's operations on a real fleet.

What only an operation needs is imported when it is asked for: the first frame does not wait for it.
"""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import aclosing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from agent.wire.message import EMPTY, Message, message
from fleet.events import Event, LinkChanged, RunPlanned
from tui.operations.config_check import trainer_faults
from tui.operations.interface import Agreed, Draft, NodeCard, RefusedError, RunCard

if TYPE_CHECKING:
    from fleet.deploy.options import Confirm
    from fleet.fleet import Fleet
    from fleet.inventory import FaultsError, Inventory, Node
    from fleet.runs import LaunchOptions, RunSummary
    from fleet.steps import Step
    from fleet.telemetry import History, Meter
    from transports.base import Prompts
    from tui.secrets.run_secrets import AskSecret


class FleetOperations:
    """Works on the inventory at ``path``, which need not exist yet, for the project folder ``project``."""

    def __init__(
        self,
        path: Path,
        *,
        project: Path,
        prompts: Prompts,
        ask_secret: AskSecret | None = None,
        confirm: Confirm | None = None,
    ) -> None:
        self._path = path
        self._folder = project
        self._prompts = prompts
        self._ask_secret = ask_secret
        self._confirm = confirm
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
        config = self._inventory.run.program_config
        return None if config is None else self._root / config

    @property
    def production(self) -> bool:
        """Whether the inventory marks these machines as production."""
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

        return list(RunStore(self._home, run).shown_events())

    def settings(self, run: str) -> Mapping[str, str]:
        """Return the settings that a run was started with."""
        from fleet.runs import RunStore

        return RunStore(self._home, run).origin().settings

    def meter(self) -> Meter:
        """Return a meter that continues from what earlier consoles have recorded."""
        from fleet.telemetry import Meter, load_settings, read_tallies
        from fleet.telemetry.settings import DEFAULT_FILE

        with _refusing_faults():
            settings = load_settings(self._root / DEFAULT_FILE)
        return Meter(settings, lambda run: read_tallies(self._home / "runs" / run))

    def sampled(self, run: str) -> Sequence[str]:
        """Return the nodes with a history in a run's folder, in the inventory's order."""
        from fleet.telemetry import recorded_nodes

        kept = recorded_nodes(self._home / "runs" / run)
        order = [node.name for node in self._inventory.nodes]
        return sorted(kept, key=lambda name: order.index(name) if name in order else len(order))

    def history(self, run: str, node: str, wanted: Callable[[str], bool]) -> History:
        """Return what is kept of a node in a run's folder."""
        from fleet.telemetry import read_history

        return read_history(self._home / "runs" / run, node, wanted)

    async def watch(self) -> AsyncIterator[Event]:
        """Connect to all nodes, yield their facts, then their load once per second."""
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
        """Connect to nodes and read their facts again."""
        return self._open().connect(self._named(nodes))

    def preflight(self, nodes: Sequence[str], checks: Sequence[str] = ()) -> AsyncIterator[Event]:
        """Check nodes; between them and all others where a check is about pairs."""
        from fleet.preflight import BEFORE, PreflightOptions, preflight

        fleet = self._open()
        options = PreflightOptions(checks=tuple(checks) or BEFORE, among=fleet.nodes)
        return preflight(fleet, self._named(nodes), options)

    def fix(self, troubles: Mapping[str, Sequence[str]], agreed: Agreed) -> AsyncIterator[Event]:
        """Fix what checks found, each fix after the user has agreed."""
        from fleet.preflight import PreflightOptions
        from fleet.preflight.fix_runner import offer_fixes

        fleet = self._open()
        return offer_fixes(fleet, fleet.nodes, troubles, PreflightOptions(), agreed)

    async def deploy(self, nodes: Sequence[str], *, dry_run: bool = False) -> AsyncIterator[Event]:
        """Check and deploy."""
        from fleet import commands
        from fleet.deploy import DeployOptions

        if dry_run:
            steps = commands.up_dry_run()
        else:
            secrets = (await self._launching()).secrets if self._inventory.run.setup else {}
            steps = commands.deploy(DeployOptions(secrets=secrets, confirm=self._confirm))
        async with aclosing(self._run(nodes, steps)) as events:
            async for event in events:
                yield event

    async def up(self, nodes: Sequence[str]) -> AsyncIterator[Event]:
        """Check nodes, deploy to them, start a run and follow it to its end."""
        from fleet import commands
        from fleet.deploy import DeployOptions
        from fleet.runs.steps import RunToEnd
        from tui.operations.run_controller import controller_keeper

        launching = await self._launching()
        options = DeployOptions(secrets=launching.secrets, confirm=self._confirm)
        steps = commands.up(RunToEnd(launching, keeper=controller_keeper()), options)
        async with aclosing(self._run(nodes, steps)) as events:
            async for event in events:
                yield event

    async def launch(self, nodes: Sequence[str], *, resume: str = "") -> AsyncIterator[Event]:
        """Start a run with what was deployed before."""
        from fleet import commands
        from fleet.deploy import DeployOptions
        from fleet.runs.steps import RunToEnd
        from tui.operations.run_controller import controller_keeper

        launching = await self._launching()
        start = RunToEnd(launching, keeper=controller_keeper())
        steps = commands.launch(start, DeployOptions(secrets=launching.secrets))
        arguments = ("--resume", resume) if resume else ()
        async with aclosing(self._run(nodes, steps, arguments)) as events:
            async for event in events:
                yield event

    async def _run(
        self, nodes: Sequence[str], steps: Sequence[Step], arguments: tuple[str, ...] = ()
    ) -> AsyncGenerator[Event, None]:
        from fleet.steps import Job, run_steps

        job = Job(self._open(), self._named(nodes), arguments=arguments, shell=os.environ)
        async with aclosing(run_steps(job, steps)) as events:
            async for event in events:
                yield event

    async def _launching(self) -> LaunchOptions:
        """Return the options of a start, with the values of the run's secrets; raises FleetError."""
        from fleet.runs import LaunchOptions
        from tui.secrets.run_secrets import run_secrets

        async def ask(name: str) -> str | None:
            return await self._ask_secret(name) if self._ask_secret is not None else None

        return LaunchOptions(secrets=await run_secrets(self._inventory.run.secrets, self._root, ask))

    def attach(self, run: str) -> AsyncIterator[Event]:
        """Follow a run that was started before, from its first event."""
        from fleet.runs import follow
        from tui.operations.run_controller import controller_keeper

        return follow(self._open(), run, keeper=controller_keeper())

    def stop(self, run: str, *, followed: bool) -> AsyncIterator[Event]:
        """End a run on all its nodes."""
        from fleet.runs import stop

        return stop(self._open(), run, collect=not followed)

    def sample(self, run: str, text: str) -> AsyncIterator[Event]:
        """Draw a plan into the run's folder on the master, next to earlier ones."""
        from fleet.runs import RunStore, sample

        plans = RunStore(self._home, run).folder / "plans"
        number = 1
        while (plans / f"plan-{number}.png").exists():
            number += 1
        return sample(self._open(), run, text, plans / f"plan-{number}.png")

    def stacks(self, run: str) -> AsyncIterator[Event]:
        """Ask the nodes of a run; of a run that has ended, read what was saved."""
        from fleet.runs import read_stacks

        return read_stacks(self._open(), run)

    def add_node(self, draft: Draft) -> None:
        """Add a node to the inventory, which is made when there is none."""
        from fleet.inventory import add_node, save_inventory
        from transports.kind import WholeNumber
        from transports.registry import DEFAULT_TRANSPORT, KINDS

        address, port = _address_and_port(draft.address)
        fields: dict[str, object] = {"name": draft.name or address, "address": address}
        if port is not None:
            fields["port"] = port
        if draft.transport and draft.transport != DEFAULT_TRANSPORT:
            fields["transport"] = draft.transport
        if draft.options:
            numbers = [
                one.name for one in KINDS[draft.transport].options if isinstance(one.type, WholeNumber)
            ]
            fields[draft.transport] = {
                name: int(text) if name in numbers and text.isdecimal() else text
                for name, text in draft.options
            }
        if draft.user:
            fields["user"] = draft.user
        if draft.gpus:
            fields["gpus"] = int(draft.gpus) if draft.gpus.isdigit() else draft.gpus
        if draft.tags:
            fields["tags"] = draft.tags.replace(",", " ").split()
        if not draft.address:
            raise RefusedError(message("console.no-address", "the address is missing"))
        with _refusing_faults():
            if not self._path.exists():
                save_inventory(self._inventory, self._path)
            add_node(self._path, fields)
        self.reload()

    def remove_nodes(self, names: Sequence[str]) -> None:
        """Take workers out of the inventory."""
        from fleet.inventory import remove_node

        if self._inventory.master.name in names:
            raise RefusedError(
                message("console.remove-master", "the master can't be removed: dtui runs on it")
            )
        with _refusing_faults():
            for name in names:
                remove_node(self._path, name)
        self.reload()

    def import_workers(self, path: Path) -> int:
        """Take the workers of a workers.json into a new inventory."""
        from fleet.inventory import load_workers_json, save_inventory

        if self._inventory.workers:
            raise RefusedError(
                message(
                    "console.import-over-nodes",
                    "the inventory {path} has nodes already",
                    path=str(self._path),
                ),
                remedy=message(
                    "console.import-over-nodes.remedy", "add the others one by one, or remove the file"
                ),
            )
        with _refusing_faults():
            found = load_workers_json(path, project=self._folder)
            save_inventory(found, self._path)
        self.reload()
        return len(found.workers)

    def check_inventory(self, text: str) -> Sequence[Message]:
        """Return the faults of an inventory's text."""
        from fleet.inventory import FaultsError, parse_inventory

        try:
            parse_inventory(text, self._path)
        except FaultsError as error:
            return [fault.message for fault in error.faults]
        return []

    def check_config(self, text: str) -> Sequence[Message]:
        """Let the project's own trainer read the text; a program that is not the trainer is not asked."""
        path = self.config_path
        if path is None or not self.resumes:
            return []
        return trainer_faults(text, name=path.name, project=self._root)

    def reload(self) -> None:
        """Read the inventory again; open links are replaced when they are next needed."""
        from fleet.inventory import with_master_address

        with _refusing_faults():
            self._known = self._read()
        if self._fleet is not None:
            self._known = self._fleet.inventory = with_master_address(self._known)

    async def close(self) -> None:
        """Close the connections to all nodes."""
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

            # Not before: it looks up the names of nodes, and a name server may be slow.
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
    first = RunStore(home, summary.run).first_event()
    planned = first if isinstance(first, RunPlanned) else None
    return RunCard(
        summary.run,
        started=first.at if first is not None else 0.0,
        finished=finished.at if finished else None,
        outcome=finished.outcome if finished else "",
        cause=finished.cause if finished else EMPTY,
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


@contextmanager
def _refusing_faults() -> Iterator[None]:
    """Raise RefusedError where a file is faulty."""
    from fleet.inventory import FaultsError

    try:
        yield
    except FaultsError as error:
        raise RefusedError(_first_fault(error)) from error


def _first_fault(error: FaultsError) -> Message:
    first, *others = error.faults
    if not others:
        return first.message
    return message(
        "console.more-faults", "{fault} (and {count} more)", fault=first.message, count=len(others)
    )
