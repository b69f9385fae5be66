"""Where the ranks of a run are, on request: the stacks of their threads and the collectives they are in."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence

from msgspec import Struct

from agent.wire.message import message
from agent.wire.operations import STACKS
from agent.wire.runs import Frame, RankStacks, StacksArgs, ThreadStack
from fleet.errors import FleetError, InvalidAnswer
from fleet.fleet import Fleet
from fleet.inventory import Node
from fleet.plan import RunPlan
from fleet.runs.asking import answer_or_error

#: Seconds for connecting to one node and for its answer.
TIMEOUT = 45.0


class NodeStacks(Struct, frozen=True):
    """The stacks of a node's ranks, or the node's error."""

    node: str
    ranks: tuple[RankStacks, ...] = ()
    error: FleetError | None = None


class LastCollective(Struct, frozen=True):
    """The newest collective that a rank has entered; ``number`` counts them within a process group."""

    number: int
    name: str
    sizes: str


async def run_stacks(fleet: Fleet, plan: RunPlan) -> tuple[NodeStacks, ...]:
    """Ask all nodes of the run concurrently."""
    nodes = [node for node in fleet.nodes if node.name in {part.node for part in plan.nodes}]
    return tuple(await asyncio.gather(*(_stacks_on(fleet, node, plan) for node in nodes)))


async def _stacks_on(fleet: Fleet, node: Node, plan: RunPlan) -> NodeStacks:
    ranks = await answer_or_error(node, _ranks_on(fleet, node, plan), name="stacks", timeout=TIMEOUT)
    return (
        NodeStacks(node.name, error=ranks) if isinstance(ranks, FleetError) else NodeStacks(node.name, ranks)
    )


async def _ranks_on(fleet: Fleet, node: Node, plan: RunPlan) -> tuple[RankStacks, ...]:
    part = plan.part(node.name)
    own = range(part.first_rank, part.first_rank + part.local_world_size)
    found: dict[int, RankStacks] = {}
    link = await fleet.link(node)
    async with link.request(
        STACKS, StacksArgs(project=node.project, node=node.name, run=plan.run)
    ) as request:
        async for item in request:
            rank = item.body["rank"]
            if rank not in own or rank in found:
                reason = message("answer.other-rank", "stacks of rank {rank}", rank=rank)
                raise InvalidAnswer("stacks", reason, node=node.name)
            found[rank] = item.body
    return tuple(found[rank] for rank in sorted(found))


def main_stack(found: RankStacks) -> tuple[Frame, ...]:
    """Return the main thread's frames, the innermost first."""
    return next((tuple(stack["frames"]) for stack in found["stacks"] if stack["main"]), ())


def folded(found: Sequence[RankStacks]) -> list[tuple[list[int], tuple[Frame, ...]]]:
    """Return the ranks that have each main stack, the most common one first."""
    ranks: dict[str, tuple[list[int], tuple[Frame, ...]]] = {}
    for one in found:
        frames = main_stack(one)
        ranks.setdefault(json.dumps(frames), ([], frames))[0].append(one["rank"])
    return sorted(ranks.values(), key=lambda group: (-len(group[0]), group[0]))


def other_threads(found: RankStacks) -> list[ThreadStack]:
    """Return the stacks of all threads but the main one."""
    return [stack for stack in found["stacks"] if not stack["main"]]


def last_collective(found: RankStacks) -> LastCollective | None:
    """Return the newest collective of torch's flight recorder, None without one."""
    try:
        entries = json.loads(found["recorder"] or "{}", parse_constant=str)["entries"]
        numbered = [entry for entry in entries if isinstance(entry["collective_seq_id"], int)]
        newest = max(numbered, key=lambda entry: entry["collective_seq_id"])
        return LastCollective(
            newest["collective_seq_id"],
            str(newest.get("profiling_name", ""))[:80],
            str(newest.get("input_sizes", ""))[:80],
        )
    except (ValueError, LookupError, TypeError, RecursionError):
        return None
