"""Send a plan's contents to one node, as fast as the node takes them."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Iterator
from typing import NamedTuple

from agent.tree.format import pack
from agent.wire.deploy import ReceiveArgs, ReceivePiece, TransferPlan
from agent.wire.operations import RECEIVE
from fleet.deploy.chunks import Chunk, ChunkSource, Piece, layout
from fleet.deploy.compare import Plan, Target
from fleet.deploy.waits import Waits
from fleet.link.client import AgentClient

#: Chunks that are read and compressed in advance.
_AHEAD = 4
#: How long a node may be silent: always, and for each file that it puts in place.
_COMMIT_SECONDS = 50.0
_SECONDS_PER_FILE = 0.05


class Progress(NamedTuple):
    """Bytes passed to the link so far, uncompressed."""

    files: int
    size: int


async def copy(
    link: AgentClient,
    target: Target,
    plan: Plan,
    source: ChunkSource,
    *,
    mirror: bool = False,
    origin: str | None = None,
) -> AsyncGenerator[Progress, None]:
    """Send the plan, yield the progress after each piece, return when the node's new tree is in place.

    ``mirror``: the plan's deletions are of any files. ``origin`` is recorded as the project's.
    Closed early, or after an exception, the node keeps its old tree. Raises FleetError, SourceChanged,
    OSError.
    """
    numbers = {item.file: number for number, item in enumerate(plan.send)}
    files = sum(1 for item in plan.send if item.digest)
    size = 0
    # The commit moves all files before it answers.
    silence = _COMMIT_SECONDS + _SECONDS_PER_FILE * (len(plan.send) + len(plan.delete))
    args = ReceiveArgs(project=target.project, deploy=target.deploy, mirror=mirror)
    if origin is not None:
        args["origin"] = origin
    waits = Waits(link.node)
    async with link.request(RECEIVE, args, silence=silence) as request:
        for part in pack(_as_json(plan)):
            await request.send({"step": "plan", "compressed": True, "segments": []}, part)
        chunks = layout((item.file, item.start) for item in plan.send if not item.digest)
        async for chunk, piece in _prepared(chunks, source):
            segments = [
                (numbers[segment.file], segment.length, digest)
                for segment, digest in zip(chunk, piece.digests, strict=True)
            ]
            body: ReceivePiece = {"step": "contents", "compressed": piece.compressed, "segments": segments}
            await request.send(body, piece.payload)
            files += sum(segment.last for segment in chunk)
            size += sum(segment.length for segment in chunk)
            yield Progress(files, size)
        await request.send({"step": "commit", "compressed": False, "segments": []})
        await request.end()
        async for item in request:
            waits.add(item.body["waiting"])


async def _prepared(
    chunks: Iterator[Chunk], source: ChunkSource
) -> AsyncGenerator[tuple[Chunk, Piece], None]:
    ahead: deque[tuple[Chunk, asyncio.Task[Piece]]] = deque()
    try:
        while True:
            while len(ahead) < _AHEAD and (chunk := next(chunks, None)) is not None:
                ahead.append((chunk, asyncio.create_task(source.get(chunk))))
            if not ahead:
                return
            chunk, task = ahead.popleft()
            yield chunk, await task
    finally:
        for _, task in ahead:
            task.cancel()
        await asyncio.gather(*(task for _, task in ahead), return_exceptions=True)


def _as_json(plan: Plan) -> TransferPlan:
    return {
        "files": [(*item.file, item.start, item.digest) for item in plan.send],
        "adjust": [(*file, digest) for file, digest in plan.adjust],
        "delete": [path for path, _ in plan.delete],
        "forget": [*plan.forget, *plan.kept],
    }
