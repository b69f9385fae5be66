"""Stop a run on all its nodes."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing

from agent.wire.message import EMPTY, Message, message
from agent.wire.operations import STOP
from agent.wire.runs import StopArgs
from fleet.errors import FleetError, OperationFailed
from fleet.events import Event, Level, Notice
from fleet.fleet import Fleet
from fleet.runs.messages import end_processes, left_inventory, processes_left
from fleet.runs.options import LaunchOptions, WatchOptions
from fleet.runs.store import RunStore
from fleet.runs.watch import watch
from fleet.streams import contained, merge

#: Seconds that a stop may take after the ranks' grace: the agent gives a supervisor 15.
_BEYOND_GRACE = 25.0
#: How long the collection of what is left waits for a node that is out of reach.
_TIMEOUT = 15.0


def stop_seconds(grace: float | None) -> float:
    """Return how long an agent may take to answer a stop; a launch's own grace is the usual one."""
    return (LaunchOptions().grace if grace is None else grace) + _BEYOND_GRACE


async def stop(
    fleet: Fleet, run: str, *, grace: float | None = None, collect: bool = True
) -> AsyncGenerator[Event, None]:
    """Yield a Notice for each node: what was ended on it, or why not.

    The ranks get ``grace`` seconds to save a checkpoint (None: as set by the launch; 0: none).
    ``collect`` then watches to the end, so that the recording is whole and the last event a RunFinished;
    leave it out where a watch of this run is open already. Raises NoSuchRun.
    """
    plan = RunStore(fleet.home, run).plan()
    stops = [_contained(fleet, part.node, run, grace) for part in plan.nodes]
    async with aclosing(merge(*stops)) as events:
        async for event in events:
            yield event
    if collect:
        options = WatchOptions(unreachable_limit=_TIMEOUT, failing_limit=_TIMEOUT)
        async with aclosing(watch(fleet, run, options, history=False)) as events:
            async for event in events:
                yield event


def _contained(fleet: Fleet, name: str, run: str, grace: float | None) -> AsyncGenerator[Event, None]:
    def failed(what: Message) -> list[Event]:
        return [Notice(node=name, at=fleet.clock(), level="error", text=_not_stopped(what))]

    return contained(_stop_on(fleet, name, run, grace), f"stopping run {run} on {name}", failed)


async def _stop_on(fleet: Fleet, name: str, run: str, grace: float | None) -> AsyncGenerator[Event, None]:
    text: Message = EMPTY
    remedy: Message = EMPTY
    level: Level = "error"
    try:
        node = fleet.inventory.node(name)
        link = await fleet.link(node)
        outcome = await link.call(
            STOP,
            StopArgs(project=node.project, node=node.name, run=run, grace=grace),
            seconds=stop_seconds(grace),
        )
    except KeyError:
        text = left_inventory()
        remedy = message(
            "run.left-inventory-stop.remedy", "add {node} to the inventory again to stop its ranks", node=name
        )
    except OperationFailed as error:
        text, remedy = error.what, error.remedy
        if error.code == "no-run":
            level = "info"
            text = message("run.nothing-to-stop", "nothing to stop: this node has no such run")
    except FleetError as error:
        text, remedy = _not_stopped(error.what), error.remedy
    else:
        if outcome["left"]:
            text, remedy = processes_left(outcome["left"]), end_processes(name)
        else:
            text, level = _stopped(len(outcome["ended"])), "info"
    yield Notice(node=name, at=fleet.clock(), level=level, text=text, remedy=remedy)


def _not_stopped(reason: Message) -> Message:
    return message("run.not-stopped", "not stopped: {reason}", reason=reason)


def _stopped(ended: int) -> Message:
    if not ended:
        return message("run.nothing-running", "nothing was running")
    return message("run.node-stopped", "stopped, {count:n process/processes} ended", count=ended)
