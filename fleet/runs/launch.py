"""Start a run on all its nodes at once: all ranks start, or none stays."""

from __future__ import annotations

import asyncio
import shlex
from collections.abc import AsyncGenerator, Sequence

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
from fleet.runs.recorder import Recorder
from fleet.runs.store import RunStore

__all__ = ["LaunchFailed", "LaunchOptions", "launch"]


class LaunchFailed(FleetError):
    """The run did not start; what had started was ended. The events before it say what happened where."""


async def launch(
    fleet: Fleet, plan: RunPlan, options: LaunchOptions | None = None
) -> AsyncGenerator[Event, None]:
    """Yield RunPlanned, then RankStarted for every rank; the run then goes on by itself, see ``watch``.

    When a node can't start its part: a Notice for each such node, RunFinished, and LaunchFailed is raised.
    Raises FleetError before anything happens when a run of this id exists, or a node is not known.
    """
    nodes = {part.node: _node(fleet, part) for part in plan.nodes}
    store = RunStore(fleet.home, plan.run)
    store.create(plan)
    origin = await asyncio.to_thread(read_origin, fleet.inventory)
    store.keep_origin(origin)
    with Recorder(store) as recorder:
        for event in announce(plan, fleet.clock(), origin):
            recorder.write(event)
            yield event
        outcome = await GangStart(fleet, plan, nodes, options or LaunchOptions()).run()
        for event in outcome:
            recorder.write(event)
            yield event
        last = outcome[-1]
        if isinstance(last, RunFinished):
            raise LaunchFailed(last.cause, remedy=last.remedy)


def _node(fleet: Fleet, part: NodePlan) -> Node:
    try:
        return fleet.inventory.node(part.node)
    except KeyError:
        raise FleetError(
            "the run's plan names a node that is not in the inventory", node=part.node, remedy="plan it anew"
        ) from None


def announce(plan: RunPlan, at: float, origin: Origin | None = None) -> list[Event]:
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
    return [planned, *(Notice(at=at, level="warning", text=note) for note in plan.notes)]


def _shown(argv: Sequence[str]) -> str:
    """Return a rank's command as a person would type it; each node has its own interpreter."""
    return shlex.join("python" if word == INTERPRETER else word for word in argv)
