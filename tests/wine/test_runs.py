"""Runs on Windows nodes: they outlive every session, lose no byte of a log, and end wholly when stopped."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any

import pytest
import pytest_asyncio
from msgspec.structs import replace

from agent.wire.operations import OPERATIONS
from fleet.events import LinkChanged, LogChunk, RankExited, RunFinished
from fleet.fleet import Fleet
from fleet.plan import RunPlan, plan_run
from fleet.runs import WatchOptions, launch, stop, watch
from lab.wine.machine import WindowsMachine
from tests.wine.fleets import DEADLINE, NODES, Site, collect, of, site, until

pytestmark = [pytest.mark.wine, pytest.mark.timeout(150), pytest.mark.asyncio(loop_scope="module")]

SWIFT = WatchOptions(retry_first=0.05, retry_most=0.5)

#: Each program starts with this; `wait_for` is how a test lets it go on.
PRELUDE = """
import os, pathlib, subprocess, sys, time
HERE = pathlib.Path.cwd()
def say(*words):
    print(*words, flush=True)
def wait_for(name):
    end = time.monotonic() + 240
    while not (HERE / name).exists():
        if time.monotonic() > end:
            sys.exit(99)
        time.sleep(0.02)
"""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def place(machine: WindowsMachine, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Site]:
    async with site(machine, tmp_path_factory.mktemp("runs")) as made:
        yield made


async def plan(place: Site, run: str, program: str) -> RunPlan:
    """Put the program on both nodes and lay out one rank for each."""
    for node in NODES:
        place.write({f"{run}.py": PRELUDE + program}, place.project(node))
        (place.project(node) / "go").unlink(missing_ok=True)
    inventory = replace(place.inventory, run=replace(place.inventory.run, script=f"{run}.py"))
    workers = [inventory.node(name) for name in NODES]
    facts = await place.facts()
    return plan_run(inventory, facts, run_id=run, nodes=workers)


def output(events: list[Any], rank: int) -> bytes:
    text = b""
    for chunk in of(events, LogChunk):
        if chunk.rank == rank:
            assert chunk.offset == len(text), "a gap or an overlap"
            text += chunk.data
    return text


def go(place: Site) -> None:
    for node in NODES:
        (place.project(node) / "go").touch()


async def test_a_run_outlives_its_sessions_and_is_found_again(place: Site) -> None:
    program = "say('up'); wait_for('go'); say('later'); sys.exit(0)"
    await collect(launch(place.fleet, await plan(place, "outlives", program)))
    methods = {}
    for node in NODES:
        status = json.loads(
            (place.project(node) / ".dtui" / "runs" / "outlives" / "status.json").read_text("utf-8")
        )
        methods[node] = status["state"]
    await place.fleet.close()
    for node in NODES:
        await place.lab_node(node).stop()  # all sessions and their jobs are gone
    go(place)
    for rank, node in enumerate(NODES):
        log = place.project(node) / ".dtui" / "runs" / "outlives" / f"rank-{rank}.log"
        await until(lambda log=log: log.read_bytes() == b"up\r\nlater\r\n")
        await place.lab_node(node).start()
    async with Fleet(place.inventory, home=place.fleet.home, prompts=place.lab.prompts) as later:
        events = await collect(watch(later, "outlives", SWIFT))
    assert of(events, RunFinished)[0].outcome == "succeeded"
    assert [output(events, rank) for rank in (0, 1)] == [b"up\r\nlater\r\n"] * 2
    assert set(methods.values()) == {"running"}


async def test_how_the_supervisor_got_away_is_recorded(place: Site) -> None:
    """Wine has no CIM: its powershell says nothing, and the next method is taken."""
    for node in NODES:
        place.write({"short.py": "print(1)"}, place.project(node))
        argv = ["{interpreter}", "short.py"]
        started = await place.call(
            node,
            "start",
            run="recorded",
            node=node,
            interpreter=place.inventory.node(node).interpreter,
            ranks=[{"rank": 0, "local_rank": 0, "argv": argv, "env": {}}],
        )
        assert started["method"] == "breakaway"
        assert any("cim" in reason for reason in started["tried"])


async def test_stopping_ends_the_whole_tree(place: Site) -> None:
    program = """
beat = HERE / ("beat-" + os.environ["RANK"])
child = "import sys, time\\nwhile True: open(sys.argv[1], 'a').write('.'); time.sleep(0.05)"
subprocess.Popen([sys.executable, "-c", child, str(beat)])
time.sleep(600)
"""
    await collect(launch(place.fleet, await plan(place, "tree", program)))
    beats = [place.project(node) / f"beat-{rank}" for rank, node in enumerate(NODES)]
    await until(lambda: all(beat.exists() for beat in beats))
    events = await collect(stop(place.fleet, "tree", grace=0))
    assert of(events, RunFinished)[0].outcome == "stopped"
    assert {event.rank for event in of(events, RankExited) if event.stopped} == {0, 1}
    sizes = [beat.stat().st_size for beat in beats]
    await asyncio.sleep(0.5)  # ten beats, were anything left
    assert [beat.stat().st_size for beat in beats] == sizes


async def test_a_failing_rank_stops_the_others_and_is_named(place: Site) -> None:
    program = """
if os.environ["RANK"] == "1":
    say("Traceback: boom")
    sys.exit(7)
time.sleep(600)
"""
    await collect(launch(place.fleet, await plan(place, "fails", program)))
    events = await collect(watch(place.fleet, "fails", SWIFT))
    end = of(events, RunFinished)[0]
    assert end.outcome == "failed"
    assert "rank 1" in end.cause
    assert [(event.rank, event.code) for event in of(events, RankExited) if not event.stopped] == [(1, 7)]


async def test_logs_lose_no_byte_when_connections_break(place: Site) -> None:
    program = """
for number in range(400):
    sys.stdout.buffer.write(b"line %d " % number + bytes([0xc7, 0xd1, 0xb1, 0xdb]) + b"y" * 2000 + b"\\r\\n")
    sys.stdout.buffer.flush()
    if number == 200:
        wait_for("go")
"""
    await collect(launch(place.fleet, await plan(place, "bytes", program)))
    events: list[Any] = []
    cuts = 0
    async with asyncio.timeout(DEADLINE), aclosing(watch(place.fleet, "bytes", SWIFT)) as stream:
        async for event in stream:
            events.append(event)
            if isinstance(event, LogChunk) and len(of(events, LogChunk)) % 3 == 0 and cuts < 4:
                place.lab_node(NODES[cuts % 2]).drop_connections()
                cuts += 1
                go(place)
    line = b"line %d \xc7\xd1\xb1\xdb" + b"y" * 2000 + b"\r\n"
    expected = b"".join(line % number for number in range(400))
    assert [output(events, rank) == expected for rank in (0, 1)] == [True, True]
    assert cuts == 4
    assert of(events, LinkChanged)
    assert of(events, RunFinished)[0].outcome == "succeeded"


@pytest.mark.parametrize("node", NODES)
async def test_a_log_that_is_truncated_or_replaced_is_followed(place: Site, node: str) -> None:
    """As a logging handler rotates it: the old file is renamed and a new one begins."""
    project = place.project(node)
    place.write({"logs/train.log": b"first\r\n"}, project)
    link = await place.fleet.link(place.inventory.node(node))
    seen = b""
    restarts = []
    wanted = {"file": "logs/train.log", "offset": 0}
    async with (
        asyncio.timeout(DEADLINE),
        link.request(
            OPERATIONS["follow"], {"project": place.inventory.node(node).project, "files": [wanted]}
        ) as request,
    ):
        async for item in request:
            seen += item.payload
            if item.body["restarted"]:
                restarts.append(item.body["restarted"])
            if seen == b"first\r\n" and not restarts:
                (project / "logs/train.log").rename(project / "logs/train.log.1")
                place.write({"logs/train.log": b"2nd\r\n"}, project)
            if seen == b"first\r\n2nd\r\n":
                break
    assert restarts == ["replaced"] or restarts == ["truncated"]


async def test_a_korean_program_that_ignores_utf8_is_followed_byte_for_byte(
    korean: WindowsMachine, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """What it writes is cp949; ranks run in UTF-8 mode, a program that they start may not."""
    async with site(korean, tmp_path_factory.mktemp("korean")) as place:
        program = """
say("안녕", sys.flags.utf8_mode)
plain = {name: value for name, value in os.environ.items() if name not in ("PYTHONUTF8", "PYTHONIOENCODING")}
subprocess.run([sys.executable, "-c", "print('\\ud55c\\uae00')"], env=plain)
"""
        await collect(launch(place.fleet, await plan(place, "korean", program)))
        events = await collect(watch(place.fleet, "korean", SWIFT))
        for rank in (0, 1):
            assert output(events, rank) == "안녕 1\r\n".encode() + "한글\r\n".encode("cp949")
        assert of(events, RunFinished)[0].outcome == "succeeded"


async def test_ranks_have_the_variables_of_a_windows_login_and_resolved_ones_of_the_user(place: Site) -> None:
    program = "import json; (HERE / 'told.json').write_text(json.dumps(dict(os.environ)))"
    own = (
        ("Cache_Of_Mine", r"$userprofile\cache"),
        ("PATH", r"C:\mine;$Path"),
        ("PERCENT", "%PATH% $$1"),
        ("HOMES", r"~\a;~\b"),
    )
    planned = await plan(place, "variables", program)
    nodes = tuple(replace(part, variables=dict(own)) for part in planned.nodes)
    await collect(launch(place.fleet, replace(planned, nodes=nodes)))
    events = await collect(watch(place.fleet, "variables", SWIFT))
    assert of(events, RunFinished)[0].outcome == "succeeded"
    for node in NODES:
        told = {
            name.upper(): value
            for name, value in json.loads((place.project(node) / "told.json").read_text("utf-8")).items()
        }
        home = rf"C:\lab\{node}\home"
        interpreter = str(place.inventory.node(node).interpreter)
        assert told["CACHE_OF_MINE"] == rf"{home}\cache"
        first, second, third = told["PATH"].split(";")[:3]
        assert (first, second) == (r"C:\mine", interpreter.rpartition("\\")[0])
        assert third == rf"{second}\Scripts"
        assert "system32" in told["PATH"].lower()
        assert told["PERCENT"] == "%PATH% $1"
        assert told["HOMES"] == rf"{home}\a;{home}\b"
        # What this lab gives to a session of the node, and no login.
        assert "COMPUTERNAME" in told
        assert "DTUI_LAB" not in told
