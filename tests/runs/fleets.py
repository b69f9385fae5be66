"""Loopback fleets whose ranks are small programs, for the tests of runs."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import aclosing
from pathlib import Path
from typing import Any, TypeVar

from fleet.events import Event, LogChunk, RunFinished
from fleet.fleet import Fleet
from fleet.inventory import Inventory, Node, RunSettings
from fleet.plan import RunPlan, plan_run
from fleet.runs import WatchOptions, watch
from tests.support import wire

E = TypeVar("E", bound=Event)

#: Seconds after which something hangs; a busy machine is many times slower than a quiet one.
DEADLINE = 120.0
#: Reconnects at once, so that tests of lost links are quick.
SWIFT = WatchOptions(retry_first=0.05, retry_most=0.2)

#: What every program of the tests may use.
PRELUDE = """
import json, os, pathlib, subprocess, sys, time
RANK = int(os.environ["RANK"])
HERE = pathlib.Path.cwd()
def wait_for(name, limit=300):
    end = time.monotonic() + limit
    while not (HERE / name).exists():
        if time.monotonic() > end:
            sys.exit(99)
        time.sleep(0.01)
def say(*words):
    print(*words, flush=True)
def note(**record):
    (HERE / "logs").mkdir(exist_ok=True)
    path = HERE / "logs" / f"metrics_{os.environ['DTUI_RUN_ID']}_rank{RANK}.jsonl"
    with path.open("a") as file:
        file.write(json.dumps(record) + chr(10))
"""


def inventory(tmp_path: Path, program: str, **processes: int) -> Inventory:
    """A master and more local nodes, each with its own project folder and so many ranks."""
    nodes = []
    for number, (name, count) in enumerate(processes.items(), 1):
        project = tmp_path / name
        project.mkdir()
        (project / "program.py").write_text(PRELUDE + program, encoding="utf-8")
        nodes.append(
            Node(
                name=name,
                address=f"127.0.0.{number}",
                transport="local",
                python=sys.executable,
                environment="existing",
                interpreter=sys.executable,
                processes=count,
                project=str(project),
            )
        )
    run = RunSettings(module=None, script="program.py", config=None)
    return Inventory(project=tmp_path / "master", master=nodes[0], workers=tuple(nodes[1:]), run=run)


def fleet_of(inventory: Inventory) -> Fleet:
    return Fleet(inventory, home=inventory.project / ".dtui")


def plan_of(inventory: Inventory, run: str = "run-1") -> RunPlan:
    facts = {node.name: wire.facts(host=node.name) for node in inventory.nodes}
    return plan_run(inventory, facts, run_id=run)


def project(fleet: Fleet, node: str) -> Path:
    return Path(fleet.inventory.node(node).project)


def rank_log(fleet: Fleet, node: str, rank: int, run: str = "run-1") -> Path:
    return project(fleet, node) / ".dtui" / "runs" / run / f"rank-{rank}.log"


async def collect(events: AsyncIterator[Event]) -> list[Event]:
    async with asyncio.timeout(DEADLINE):
        return [event async for event in events]


async def watched(fleet: Fleet, run: str = "run-1", options: WatchOptions = SWIFT) -> list[Event]:
    return await collect(watch(fleet, run, options))


async def watch_until(
    fleet: Fleet, enough: Callable[[list[Event]], bool], run: str = "run-1", options: WatchOptions = SWIFT
) -> list[Event]:
    """Watch until there is enough, then close the watch as a console that leaves does."""
    seen: list[Event] = []
    async with asyncio.timeout(DEADLINE), aclosing(watch(fleet, run, options)) as events:
        async for event in events:
            seen.append(event)
            if enough(seen):
                break
    return seen


def of(events: Iterable[Event], kind: type[E]) -> list[E]:
    return [event for event in events if isinstance(event, kind)]


def output(events: Iterable[Event], rank: int) -> bytes:
    """The rank's output put together, after a check that no byte is missing or doubled."""
    text = b""
    for chunk in of(events, LogChunk):
        if chunk.rank == rank:
            assert chunk.offset == len(text), "a gap or an overlap"
            text += chunk.data
    return text


def finish(events: Iterable[Event]) -> RunFinished:
    (last,) = of(events, RunFinished)
    return last


async def until(ready: Callable[[], Any]) -> Any:
    """Wait for a condition that another process brings about."""
    async with asyncio.timeout(DEADLINE):
        while not (result := ready()):
            await asyncio.sleep(0.01)
    return result


def wait_until(ready: Callable[[], Any]) -> Any:
    end = time.monotonic() + DEADLINE
    while not (result := ready()):
        assert time.monotonic() < end, "waited too long"
        time.sleep(0.01)
    return result
