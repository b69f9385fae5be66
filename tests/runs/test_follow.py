"""Following files: from any offset, across truncation and replacement, to the end of the run."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from agent.wire.operations import OPERATIONS
from fleet.errors import OperationFailed
from fleet.link.client import AgentClient, Request
from tests.support.agents import local_agent


@pytest.fixture
async def link(agent_python: str) -> AsyncIterator[AgentClient]:
    async with local_agent(agent_python) as link:
        yield link


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "project" / "logs").mkdir(parents=True)
    return tmp_path / "project"


def follow(link: AgentClient, project: Path, **offsets: int) -> Request:
    files = [{"file": f"logs/{name}.log", "offset": offset} for name, offset in offsets.items()]
    return link.request(OPERATIONS["follow"], {"project": str(project), "files": files})


class Reader:
    """Takes items until a file's bytes are complete."""

    def __init__(self, request: Request) -> None:
        self._items = request.__aiter__()
        self.told: list[dict[str, Any]] = []

    async def read(self, name: str, size: int) -> bytes:
        data = b""
        async with asyncio.timeout(120):
            while len(data) < size:
                item = await anext(self._items)
                if item.body["file"] != f"logs/{name}.log":
                    continue
                if item.body["restarted"]:
                    self.told.append(item.body)
                data += item.payload
        return data


async def test_a_file_is_waited_for_and_partial_lines_come_at_once(link: AgentClient, project: Path) -> None:
    async with follow(link, project, a=0) as request:
        reader = Reader(request)
        with (project / "logs" / "a.log").open("wb", buffering=0) as file:
            file.write(b"no line end")
            assert await reader.read("a", 11) == b"no line end"
            file.write("한글".encode()[:4])  # cut within a character
            assert await reader.read("a", 4) == "한글".encode()[:4]


async def test_several_files_from_their_offsets_none_starves(link: AgentClient, project: Path) -> None:
    large = bytes(range(256)) * 20_000
    (project / "logs" / "large.log").write_bytes(large)
    (project / "logs" / "small.log").write_bytes(b"0123456789")
    seen: dict[str, bytes] = {}
    order = []
    async with follow(link, project, large=1000, small=4) as request, asyncio.timeout(120):
        async for item in request:
            name = item.body["file"]
            assert item.body["offset"] == {"logs/large.log": 1000, "logs/small.log": 4}[name] + len(
                seen.get(name, b"")
            )
            seen[name] = seen.get(name, b"") + item.payload
            order.append(name)
            if len(seen["logs/large.log"]) == len(large) - 1000:
                break
    assert seen == {"logs/large.log": large[1000:], "logs/small.log": b"456789"}
    assert order.index("logs/small.log") <= 1


async def test_a_truncated_file_starts_again(link: AgentClient, project: Path) -> None:
    path = project / "logs" / "a.log"
    path.write_bytes(b"a long text")
    async with follow(link, project, a=0) as request:
        reader = Reader(request)
        assert await reader.read("a", 11) == b"a long text"
        path.write_bytes(b"new")
        assert await reader.read("a", 3) == b"new"
    assert reader.told == [{"file": "logs/a.log", "offset": 0, "restarted": "truncated"}]


async def test_a_replaced_file_is_read_to_its_end_before_the_new_one(
    link: AgentClient, project: Path
) -> None:
    path = project / "logs" / "a.log"
    path.write_bytes(b"first")
    async with follow(link, project, a=0) as request:
        reader = Reader(request)
        assert await reader.read("a", 5) == b"first"
        with path.open("ab") as old:
            path.rename(project / "logs" / "a.log.1")
            old.write(b" and last")
        (project / "logs" / "a.new").write_bytes(b"a new one, longer than the old")
        (project / "logs" / "a.new").rename(path)
        assert await reader.read("a", 39) == b" and lasta new one, longer than the old"
    assert reader.told == [{"file": "logs/a.log", "offset": 0, "restarted": "replaced"}]


async def test_a_file_that_is_rewritten_all_the_time_is_abandoned(link: AgentClient, project: Path) -> None:
    (project / "logs" / "a.log").write_bytes(b"first")
    (project / "logs" / "b.log").write_bytes(b"b")
    told = []
    async with follow(link, project, a=0, b=0) as request, asyncio.timeout(120):
        async for item in request:
            if item.body["restarted"]:
                told.append(item.body["restarted"])
            if told and told[-1] == "abandoned":
                break
            if item.body["file"] == "logs/a.log" and item.payload:
                (project / "logs" / "a.new").write_bytes(b"again")
                (project / "logs" / "a.new").rename(project / "logs" / "a.log")
        (project / "logs" / "a.log").write_bytes(b"a text that is not read any more")
        with (project / "logs" / "b.log").open("ab") as other:
            other.write(b"more")
        item = await anext(request.__aiter__())
        assert (item.body["file"], item.payload) == ("logs/b.log", b"more")
    assert told == ["replaced"] * 20 + ["abandoned"]


async def test_it_ends_with_the_run_when_everything_is_read(link: AgentClient, project: Path) -> None:
    rank = {"rank": 0, "local_rank": 0, "argv": [sys.executable, "-c", "print('x' * 500_000)"], "env": {}}
    await link.call(
        OPERATIONS["start"], {"project": str(project), "run": "r", "node": "gpu1", "ranks": [rank]}
    )
    files = [{"file": ".dtui/runs/r/rank-0.log", "offset": 0}, {"file": "logs/never.log", "offset": 0}]
    async with asyncio.timeout(120):
        async with link.request(
            OPERATIONS["follow"], {"project": str(project), "run": "r", "files": files}
        ) as request:
            data = b"".join([item.payload async for item in request])
    assert data == b"x" * 500_000 + b"\n"
    assert request.result == {"offsets": {".dtui/runs/r/rank-0.log": 500_001, "logs/never.log": 0}}


@pytest.mark.parametrize("file", ["../secret", "/etc/passwd", "logs/../../secret", ""])
async def test_a_path_cannot_leave_the_project(link: AgentClient, project: Path, file: str) -> None:
    with pytest.raises(OperationFailed) as caught:
        await link.call(
            OPERATIONS["follow"],
            {"project": str(project), "files": [{"file": file, "offset": 0}], "once": True},
        )
    assert caught.value.code == "path"
