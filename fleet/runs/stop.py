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
from fleet.runs.asking import answering_link
from fleet.runs.messages import end_processes, left_inventory, processes_left, stop_later
from fleet.runs.options import LaunchOptions, WatchOptions
from fleet.runs.store import RunStore
from fleet.runs.watch import watch
from fleet.streams import contained, merge

#: Seconds that a stop may take after the ranks' grace: the agent gives a supervisor 15.
_BEYOND_GRACE = 25.0
#: Seconds in which a node has to answer, those for the user's answers aside; then it is reported.
_REACH = 30.0
#: How long the collection of what is left waits for a node that is out of reach.
_TIMEOUT = 15.0


def stop_seconds(grace: float | None) -> float:
    """Return how long an agent may take to answer a stop; a launch's own grace is the usual one."""
    return (LaunchOptions().grace if grace is None else grace) + _BEYOND_GRACE


async def stop(
    fleet: Fleet, run: str, *, grace: float | None = None, collect: bool = True
) -> AsyncGenerator[Event, None]:
    """Yield a Notice for each node: what was ended on it, or why not.

    No node waits for another one, and one that does not answer is reported within 30 seconds. The ranks get
    ``grace`` seconds to save a checkpoint (None: as set by the launch; 0: none). ``collect`` then watches to
    the end, so that the recording is whole and the last event a RunFinished; leave it out where a watch of
    this run is open already. Raises NoSuchRun.
    """
    plan = RunStore(fleet.home, run).plan()
    apart: dict[str, FleetError] = {}
    stops = [_contained(fleet, part.node, run, grace, apart) for part in plan.nodes]
    async with aclosing(merge(*stops)) as events:
        async for event in events:
            yield event
    if collect:
        options = WatchOptions(unreachable_limit=_TIMEOUT, failing_limit=_TIMEOUT, apart=apart)
        async with aclosing(watch(fleet, run, options, history=False)) as events:
            async for event in events:
                if not (isinstance(event, Notice) and event.node in apart):  # it has been reported
                    yield event


def _contained(
    fleet: Fleet, name: str, run: str, grace: float | None, apart: dict[str, FleetError]
) -> AsyncGenerator[Event, None]:
    def failed(what: Message) -> list[Event]:
        return [Notice(node=name, at=fleet.clock(), level="error", text=_not_stopped(what))]

    return contained(_stop_on(fleet, name, run, grace, apart), f"stopping run {run} on {name}", failed)


async def _stop_on(
    fleet: Fleet, name: str, run: str, grace: float | None, apart: dict[str, FleetError]
) -> AsyncGenerator[Event, None]:
    text: Message = EMPTY
    remedy: Message = EMPTY
    level: Level = "error"
    try:
        node = fleet.inventory.node(name)
        try:
            link = await answering_link(fleet, node, _REACH)
        except FleetError as error:
            # The collection need not try again; it does after a link that is lost in mid-stop.
            apart[name] = error
            raise
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
        text, remedy = _not_reached(error.what), stop_later(name, run, error.remedy)
    else:
        if outcome["left"]:
            text, remedy = processes_left(outcome["left"]), end_processes(name)
        else:
            text, level = _stopped(len(outcome["ended"])), "info"
    yield Notice(node=name, at=fleet.clock(), level=level, text=text, remedy=remedy)


def _not_stopped(reason: Message) -> Message:
    return message("run.not-stopped", "not stopped: {reason}", reason=reason)


def _not_reached(reason: Message) -> Message:
    return message("run.not-reached", "not stopped, its ranks may still be running: {reason}", reason=reason)


def _stopped(ended: int) -> Message:
    if not ended:
        return message("run.nothing-running", "nothing was running")
    return message("run.node-stopped", "stopped, {count:n process/processes} ended", count=ended)
