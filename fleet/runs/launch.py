"""Starts a run on all its nodes concurrently: all ranks start, or none do."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncGenerator, Mapping, Sequence

from agent.quoting import command_line
from agent.wire.message import message
from fleet.accelerate_config import accelerate_config
from fleet.errors import FleetError
from fleet.events import Event, Notice, RunFinished, RunPlanned
from fleet.fleet import Fleet
from fleet.inventory import Node
from fleet.plan import NodePlan, RunPlan
from fleet.plan.model import INTERPRETER
from fleet.runs.gangstart import GangStart
from fleet.runs.options import LaunchOptions
from fleet.runs.origin import Origin, read_origin
from fleet.runs.prune import prune
from fleet.runs.recorder import Recorder
from fleet.runs.store import RunStore, RunSummary
from fleet.secrets import Secret, masked_arguments

__all__ = ["LaunchFailed", "LaunchOptions", "launch"]


class LaunchFailed(FleetError):
    """The run did not start; what had started was ended. The events before it have each node's error."""


async def launch(
    fleet: Fleet, plan: RunPlan, options: LaunchOptions | None = None
) -> AsyncGenerator[Event, None]:
    """Yield RunPlanned, then RankStarted for every rank; the run then continues on its own, see ``watch``.

    When a node can't start its part: a Notice for each such node, RunFinished, and LaunchFailed is raised. A
    launch that is refused because of another run leaves no files behind. Raises FleetError before anything
    happens when a run of this id exists, a node is not known, or a secret of the run has no value.
    """
    options = options or LaunchOptions()
    nodes = {part.node: _node(fleet, part) for part in plan.nodes}
    _check_secrets(fleet, plan, options.secrets)
    store = RunStore(fleet.home, plan.run)
    store.create(plan)
    origin = await asyncio.to_thread(read_origin, fleet.inventory)
    store.keep_origin(origin)
    with Recorder(store) as recorder:
        for announced in announce(plan, fleet.clock(), origin):
            recorder.write(announced)
            yield announced
        start = GangStart(fleet, plan, nodes, options)
        outcome = await start.run()
        for event in outcome:
            recorder.write(event)
            yield event
    last = outcome[-1]
    if isinstance(last, RunFinished):
        if start.refused:
            await prune(fleet, [RunSummary(plan.run, plan, last)])
        raise LaunchFailed(last.cause, remedy=last.remedy)


def _node(fleet: Fleet, part: NodePlan) -> Node:
    try:
        return fleet.inventory.node(part.node)
    except KeyError:
        raise FleetError(
            message("run.unknown-node", "the run's plan has a node that is not in the inventory"),
            node=part.node,
            remedy=message(
                "run.unknown-node.remedy", "add {node} to the inventory, or plan again", node=part.node
            ),
        ) from None


def _check_secrets(fleet: Fleet, plan: RunPlan, secrets: Mapping[str, Secret]) -> None:
    missing = [name for name in fleet.inventory.run.secrets if name not in secrets]
    if missing:
        raise FleetError(
            message("run.secret-missing", "the run's secret {name} has no value", name=missing[0]),
            remedy=message(
                "run.secret-missing.remedy",
                "store {name} in the keyring, or start the run in a terminal, where dtui asks for it",
                name=missing[0],
            ),
        )
    for name, secret in secrets.items():
        if secret.fault:
            raise FleetError(
                message(
                    "run.secret-invalid",
                    "the value of the secret {name} {reason}",
                    name=name,
                    reason=secret.fault,
                ),
                remedy=message("run.secret-invalid.remedy", "give {name} another value", name=name),
            )
        if any(
            name in part.variables or any(name in process.env for process in part.processes)
            for part in plan.nodes
        ):
            raise FleetError(
                message(
                    "run.secret-is-variable",
                    "{name} is both a secret and an environment variable of the run",
                    name=name,
                ),
                remedy=message(
                    "run.secret-is-variable.remedy",
                    "remove {name} from `env` or from `secrets` in nodes.yaml",
                    name=name,
                ),
            )


def announce(
    plan: RunPlan, at: float, origin: Origin | None = None
) -> tuple[RunPlanned, *tuple[Notice, ...]]:
    """Return the RunPlanned of a plan and of what it starts from, and a warning for each of its notes."""
    origin = origin or Origin()
    planned = RunPlanned(
        at=at,
        run=plan.run,
        world_size=plan.world_size,
        master_address=plan.master_address,
        master_port=plan.master_port,
        ranks=plan.ranks,
        method=plan.method,
        command=_shown(plan.nodes[0].processes[0].argv),
        configs={part.node: accelerate_config(plan, part.node) for part in plan.nodes},
        config_digest=origin.config_digest,
        code_digest=origin.code_digest,
    )
    return (planned, *(Notice(at=at, level="warning", text=note) for note in plan.notes))


def _shown(argv: Sequence[str]) -> str:
    """Return a rank's command as it is typed in this machine's shell; each node has its own interpreter."""
    words = ["python" if word == INTERPRETER else word for word in masked_arguments(argv)]
    return command_line(words, os.name == "nt")
