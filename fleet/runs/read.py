"""The output of a run's ranks so far, read on their nodes."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing

from agent.wire.message import EMPTY, Message
from agent.wire.operations import FOLLOW
from agent.wire.runs import FollowArgs, FollowedFile
from fleet.errors import FleetError
from fleet.events import Event, LogChunk, Notice
from fleet.fleet import Fleet
from fleet.internal_errors import internal_error
from fleet.inventory import Node
from fleet.plan import NodePlan
from fleet.runs.messages import left_inventory
from fleet.runs.pieces import FollowedFiles, restart_notice
from fleet.runs.store import RunStore
from fleet.streams import merge

#: Pieces of all nodes that wait for a slow reader, each up to 1 MiB.
_UNREAD = 64
#: Bytes that one rank's log can have unless its own limit is larger; a node that sends more never ends.
_MOST = 4 << 30


async def read_logs(fleet: Fleet, run: str) -> AsyncGenerator[Event, None]:
    """Yield each rank's log from its first byte to its present end.

    A node that does not answer, or answers wrongly, becomes a Notice; the others continue. Raises NoSuchRun.
    """
    plan = RunStore(fleet.home, run).plan()
    sources = (_read_on(fleet, run, part) for part in plan.nodes)
    async with aclosing(merge(*sources, limit=_UNREAD)) as events:
        async for event in events:
            yield event


async def _read_on(fleet: Fleet, run: str, part: NodePlan) -> AsyncGenerator[Event, None]:
    try:
        node = fleet.inventory.node(part.node)
    except KeyError:
        yield _failed(fleet, part, left_inventory())
        return
    try:
        async with aclosing(_events(fleet, run, part, node)) as events:
            async for event in events:
                yield event
    except FleetError as error:
        yield _failed(fleet, part, error.what, error.remedy)
    except Exception as error:  # noqa: BLE001 -- any failure of a node affects that node only
        yield _failed(fleet, part, internal_error(error, f"reading the logs of {part.node}"))


async def _events(fleet: Fleet, run: str, part: NodePlan, node: Node) -> AsyncGenerator[Event, None]:
    logs = {f".dtui/runs/{run}/rank-{process.rank}.log": process.rank for process in part.processes}
    link = await fleet.link(node)
    files: list[FollowedFile] = [{"file": file, "offset": 0} for file in logs]
    # A log can briefly exceed its limit, until the supervisor checks it again.
    most = max(_MOST, 2 * (fleet.inventory.run.log_limit or 0))
    followed = FollowedFiles(part.node, dict.fromkeys(logs, 0), most=most)
    args = FollowArgs(project=node.project, node=node.name, files=files, run=run, once=True)
    async with link.request(FOLLOW, args) as request:
        async for item in request:
            piece = followed.piece(item)
            if piece.restarted:
                yield restart_notice(part.node, fleet.clock(), piece)
            elif piece.data:
                yield LogChunk(
                    node=part.node,
                    at=fleet.clock(),
                    run=run,
                    rank=logs[piece.file],
                    offset=piece.offset,
                    data=piece.data,
                )


def _failed(fleet: Fleet, part: NodePlan, text: Message, remedy: Message = EMPTY) -> Notice:
    return Notice(node=part.node, at=fleet.clock(), level="error", text=text, remedy=remedy)
