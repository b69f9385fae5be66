"""Stop a run on all its nodes."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing

from fleet.errors import FleetError, OperationFailed
from fleet.events import Event, Notice
from fleet.fleet import Fleet
from fleet.runs.options import WatchOptions
from fleet.runs.store import RunStore
from fleet.runs.watch import watch
from fleet.streams import merge

#: How long the collection of what is left waits for a node that is out of reach.
_PATIENCE = 15.0


async def stop(
    fleet: Fleet, run: str, *, grace: float | None = None, collect: bool = True
) -> AsyncGenerator[Event, None]:
    """Yield a Notice for each node: what was ended there, or why not.

    The ranks get ``grace`` seconds to save a checkpoint (None: as the launch said; 0 ends them at once).
    ``collect`` then watches to the end, so that the recording is whole and the last event a RunFinished;
    leave it out where a watch of this run is open already. Raises NoSuchRun.
    """
    plan = RunStore(fleet.home, run).plan()
    async with aclosing(merge(*(_stop_on(fleet, part.node, run, grace) for part in plan.nodes))) as events:
        async for event in events:
            yield event
    if collect:
        options = WatchOptions(unreachable_limit=_PATIENCE, failing_limit=_PATIENCE)
        async with aclosing(watch(fleet, run, options, history=False)) as events:
            async for event in events:
                yield event


async def _stop_on(fleet: Fleet, name: str, run: str, grace: float | None) -> AsyncGenerator[Event, None]:
    text, level, remedy = "", "info", ""
    try:
        node = fleet.inventory.node(name)
        link = await fleet.link(node)
        outcome = await link.call("stop", project=node.project, run=run, grace=grace)
    except KeyError:
        text, level, remedy = "not in the inventory any more", "error", "add it again to stop its ranks"
    except OperationFailed as error:
        known = error.code != "no-run"
        text = error.what if known else "nothing to stop: this node does not know the run"
        level, remedy = ("error" if known else "info"), error.remedy
    except FleetError as error:
        text, level, remedy = f"not stopped: {error.what}", "error", error.remedy
    else:
        left = outcome["left"]
        if left:
            pids = ", ".join(str(process["pid"]) for process in left)
            text, level, remedy = (
                f"processes {pids} could not be ended",
                "error",
                "end them on the node itself",
            )
        else:
            text = (
                f"stopped, {len(outcome['ended'])} processes ended"
                if outcome["ended"]
                else "nothing was running"
            )
    yield Notice(node=name, at=fleet.clock(), level=level, text=text, remedy=remedy)
