"""What the ranks of a run have printed so far, read on their nodes."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing

from fleet.errors import FleetError
from fleet.events import Event, LogChunk, Notice
from fleet.fleet import Fleet
from fleet.plan import NodePlan
from fleet.runs.store import RunStore
from fleet.streams import merge


async def read_logs(fleet: Fleet, run: str) -> AsyncGenerator[Event, None]:
    """Yield each rank's log from its first byte to its present end, and a Notice for a node without answer.

    Raises NoSuchRun.
    """
    plan = RunStore(fleet.home, run).plan()
    async with aclosing(merge(*(_read_on(fleet, run, part) for part in plan.nodes))) as events:
        async for event in events:
            yield event


async def _read_on(fleet: Fleet, run: str, part: NodePlan) -> AsyncGenerator[Event, None]:
    logs = {f".dtui/runs/{run}/rank-{process.rank}.log": process.rank for process in part.processes}
    try:
        node = fleet.inventory.node(part.node)
        link = await fleet.link(node)
        files = [{"file": file, "offset": 0} for file in logs]
        async with link.request("follow", project=node.project, files=files, once=True) as request:
            async for item in request:
                if item.payload:
                    yield LogChunk(
                        node=part.node,
                        at=fleet.clock(),
                        run=run,
                        rank=logs[item.body["file"]],
                        offset=item.body["offset"],
                        data=item.payload,
                    )
    except KeyError:
        yield Notice(node=part.node, at=fleet.clock(), level="error", text="not in the inventory any more")
    except FleetError as error:
        yield Notice(node=part.node, at=fleet.clock(), level="error", text=error.what, remedy=error.remedy)
