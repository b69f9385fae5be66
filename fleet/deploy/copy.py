"""Send a plan's contents to one node, as fast as the node takes them."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Iterator
from typing import Any, NamedTuple

from agent.tree.format import pack
from fleet.deploy.chunks import Chunk, ChunkSource, Piece, layout
from fleet.deploy.compare import Plan, Target
from fleet.link.client import AgentClient

#: Chunks being read and compressed before they are wanted.
_AHEAD = 4


class Progress(NamedTuple):
    """What has been handed to the link so far, uncompressed."""

    files: int
    size: int


async def copy(
    link: AgentClient, target: Target, plan: Plan, source: ChunkSource
) -> AsyncGenerator[Progress, None]:
    """Send the plan, yield the progress after each piece, return when the node's new tree is in place.

    Closed early, or after an exception, the node keeps its old tree. Raises FleetError, SourceChanged,
    OSError.
    """
    numbers = {item.file: number for number, item in enumerate(plan.send)}
    files = sum(1 for item in plan.send if item.digest)
    size = 0
    async with link.request("receive", project=target.project, deploy=target.deploy) as request:
        for part in pack(_as_json(plan)):
            await request.send("plan", part)
        chunks = layout((item.file, item.start) for item in plan.send if not item.digest)
        async for chunk, piece in _prepared(chunks, source):
            segments = [
                (numbers[segment.file], segment.length, digest)
                for segment, digest in zip(chunk, piece.digests, strict=True)
            ]
            await request.send([piece.compressed, segments], piece.payload)
            files += sum(segment.last for segment in chunk)
            size += sum(segment.length for segment in chunk)
            yield Progress(files, size)
        await request.send("commit")
        await request.end()
        async for _ in request:
            pass


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


def _as_json(plan: Plan) -> dict[str, Any]:
    return {
        "files": [[*item.file, item.start, item.digest] for item in plan.send],
        "adjust": [[*file, digest] for file, digest in plan.adjust],
        "delete": [path for path, _ in plan.delete],
        "forget": [*plan.forget, *plan.kept],
    }
