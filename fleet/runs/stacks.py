"""Where the ranks of a run are, on request: the stacks of their threads and the collectives they are in."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing

import msgspec
from msgspec import Struct

from agent.wire.message import EMPTY, message
from agent.wire.operations import STACKS
from agent.wire.reasons import reason_of
from agent.wire.runs import Frame, RankStacks, StacksArgs, ThreadStack
from fleet.errors import FleetError, InvalidAnswer
from fleet.events import StacksRead
from fleet.fleet import Fleet
from fleet.inventory import Node
from fleet.plan import RunPlan
from fleet.private_files import LARGEST_LIST, read_private
from fleet.runs.asking import answer_or_error
from fleet.runs.messages import left_inventory
from fleet.runs.store import RunStore
from fleet.streams import merge

#: Seconds for connecting to one node and for its answer.
TIMEOUT = 45.0
#: In the folder of a run on the master: the stacks of all ranks when it last made no progress.
SAVED = "stacks.json"


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
    #: The process group; the ranks in it, None for all, empty where the recorder does not tell.
    group: str = ""
    members: tuple[int, ...] | None = None


async def run_stacks(fleet: Fleet, plan: RunPlan) -> tuple[NodeStacks, ...]:
    """Ask all nodes of the run concurrently."""
    nodes = [node for node in fleet.nodes if node.name in {part.node for part in plan.nodes}]
    return tuple(await asyncio.gather(*(_stacks_on(fleet, node, plan) for node in nodes)))


async def read_stacks(fleet: Fleet, run: str) -> AsyncGenerator[StacksRead, None]:
    """Yield the stacks of each node of a run as soon as it answers; of an ended run, those that were saved.

    Raises NoSuchRun.
    """
    store = RunStore(fleet.home, run)
    plan = store.plan()
    if await asyncio.to_thread(store.finished) is not None:
        for event in await asyncio.to_thread(_saved_stacks, store):
            yield event
        return
    async with aclosing(merge(*(_read_on(fleet, part.node, plan) for part in plan.nodes))) as events:
        async for event in events:
            yield event


async def _read_on(fleet: Fleet, name: str, plan: RunPlan) -> AsyncGenerator[StacksRead, None]:
    node = next((node for node in fleet.nodes if node.name == name), None)
    if node is None:
        yield StacksRead(node=name, at=fleet.clock(), run=plan.run, error=left_inventory())
        return
    answer = await _stacks_on(fleet, node, plan)
    error = answer.error or FleetError(EMPTY)
    yield StacksRead(
        node=name, at=fleet.clock(), run=plan.run, ranks=answer.ranks, error=error.what, remedy=error.remedy
    )


def _saved_stacks(store: RunStore) -> list[StacksRead]:
    path = store.folder / SAVED
    try:
        nodes = msgspec.json.decode(read_private(path, LARGEST_LIST), type=dict[str, list[RankStacks]])
        at = path.stat().st_mtime
    except FileNotFoundError:
        return []
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        unreadable = message(
            "run.stacks-unreadable", "cannot read {path}: {error}", path=str(path), error=reason_of(error)
        )
        return [StacksRead(run=store.run, error=unreadable, saved=True)]
    return [
        StacksRead(node=name, at=at, run=store.run, ranks=tuple(ranks), saved=True)
        for name, ranks in nodes.items()
    ]


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
        recorder = json.loads(found["recorder"] or "{}", parse_constant=str)
        numbered = [entry for entry in recorder["entries"] if isinstance(entry["collective_seq_id"], int)]
        newest = max(numbered, key=lambda entry: (_order(entry), entry["collective_seq_id"]))
        group, members = _group_of(newest, recorder.get("pg_config"))
        return LastCollective(
            newest["collective_seq_id"],
            str(newest.get("profiling_name", ""))[:80],
            str(newest.get("input_sizes", ""))[:80],
            group,
            members,
        )
    except (ValueError, LookupError, TypeError, RecursionError):
        return None


def _order(entry: Mapping[str, object]) -> int:
    """Return the position of an entry among those of all process groups, each of which counts for itself."""
    number = entry.get("record_id")
    return number if isinstance(number, int) else 0


def _group_of(entry: Mapping[str, object], groups: object) -> tuple[str, tuple[int, ...] | None]:
    """Return the name of the entry's process group and its ranks: None for all, empty where it is unknown."""
    named = entry.get("process_group")
    name, description = named if isinstance(named, list) and len(named) == 2 else ("", "")
    if description in ("", "default_pg"):
        return str(name)[:80], None
    config = groups.get(name) if isinstance(groups, dict) and isinstance(name, str) else None
    ranks = json.loads(config["ranks"]) if isinstance(config, dict) else []
    return str(name)[:80], tuple(rank for rank in ranks if isinstance(rank, int))
