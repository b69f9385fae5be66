"""A rank that writes without end fills no disk: begin and end of its log stay, and nobody reads a hole."""

from __future__ import annotations

import asyncio
import errno
import itertools
from pathlib import Path
from typing import IO

import pytest

from agent.operations.follow import Followed
from agent.supervisor import log_limit
from agent.supervisor.folder import read
from agent.supervisor.log_limit import LogLimit, gap_file, read_gap
from agent.wire.operations import FOLLOW
from tests.runs.test_node import NodeUnderTest, node  # noqa: F401

LIMIT = 1 << 18
LINES = 300_000
#: Writes numbered lines, and pauses after each 30,000 so that the supervisor can cut the log meanwhile.
CHATTY = f"""
import sys, time
for number in range({LINES}):
    sys.stdout.write("line %08d of many\\n" % number)
    if number % 30000 == 29999:
        sys.stdout.flush()
        time.sleep(0.6)
"""


async def test_a_chatty_rank_is_cut_in_the_middle_while_it_writes_on(node: NodeUnderTest) -> None:  # noqa: F811
    await node.start(CHATTY, log_limit=LIMIT)
    files = [{"file": ".dtui/runs/run-1/rank-0.log", "offset": 0}]
    async with asyncio.timeout(120):
        assert (await node.ended())["state"] == "succeeded"
        request = node.link.request(FOLLOW, {"project": str(node.project), "run": "run-1", "files": files})
        offset = 0
        gaps: list[int] = []
        pieces: list[bytes] = []
        async with request:
            async for item in request:
                assert item.body["offset"] == offset, "an offset jumped without a gap"
                offset += len(item.payload) + item.body.get("gap", 0)
                pieces.append(item.payload)
                if "gap" in item.body:
                    assert item.payload == b""
                    gaps.append(item.body["gap"])
    log = node.file("rank-0.log")
    assert offset == log.stat().st_size == LINES * 22
    assert len(gaps) == 1
    assert log.stat().st_blocks * 512 < LIMIT + (64 << 10)
    text = b"".join(pieces)
    assert b"\0" not in text
    lines = text.decode().splitlines()
    numbers = [int(line.split()[1]) for line in lines]
    assert numbers[0] == 0
    assert numbers[-1] == LINES - 1
    jumps = [(one, other) for one, other in itertools.pairwise(numbers) if other != one + 1]
    assert len(jumps) == 1
    assert (jumps[0][1] - jumps[0][0] - 1) * 22 == gaps[0]
    raw = log.read_bytes()
    assert f"[dtui: {gaps[0]} bytes of this log were dropped here, its limit is {LIMIT}]".encode() in raw
    assert "rank-0.log: " in node.file("supervisor.log").read_text()


def write(log: Path, first: int, count: int) -> None:
    with log.open("ab") as file:
        file.writelines(b"%09d\n" % number for number in range(first, first + count))


def test_a_log_under_its_limit_is_left_alone(tmp_path: Path) -> None:
    log = tmp_path / "rank-0.log"
    limit = LogLimit(str(log), 1 << 16)
    assert limit.check() is None, "there is no log yet"
    write(log, 0, 6000)
    assert limit.check() is None
    assert not Path(gap_file(str(log))).exists()


def test_one_gap_grows_and_a_new_supervisor_knows_it(tmp_path: Path) -> None:
    log = tmp_path / "rank-0.log"
    ends = []
    for round_ in range(5):
        write(log, round_ * 10_000, 10_000)
        assert LogLimit(str(log), 1 << 16).check() is not None
        gap = read(gap_file(str(log)))
        assert gap is not None
        assert gap["start"] == 16390
        assert gap["end"] % 10 == 0, "what stays begins with a line"
        ends.append(gap["end"])
        data = log.read_bytes()
        assert data[:16390] == b"".join(b"%09d\n" % number for number in range(1639))
        assert data[gap["end"] :].startswith(b"%09d\n" % (gap["end"] // 10))
        assert log.stat().st_blocks * 512 <= (1 << 16) + 8192
    assert ends == sorted(set(ends))


def test_a_follower_in_the_middle_of_a_gap_passes_the_rest_of_it(tmp_path: Path) -> None:
    log = tmp_path / "rank-0.log"
    write(log, 0, 20_000)
    LogLimit(str(log), 1 << 16).check()
    gap = read(gap_file(str(log)))
    assert gap is not None
    followed = Followed(str(log), 100_000)
    assert list(followed.read()) == [(100_000, b"", None, gap["end"] - 100_000)]
    ((offset, data, _, _),) = list(followed.read())
    assert offset == gap["end"]
    assert data.startswith(b"%09d\n" % (offset // 10))
    followed.close()


def test_bytes_that_are_dropped_while_they_are_read_are_not_passed_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = tmp_path / "rank-0.log"
    write(log, 0, 20_000)
    followed = Followed(str(log), 16_000)

    def dropping(path: str) -> tuple[int, int]:
        LogLimit(path, 1 << 16).check()
        return read_gap(path)

    monkeypatch.setattr("agent.operations.follow.read_gap", dropping)
    told = [piece for _ in range(3) for piece in followed.read()]
    assert not any(b"\0" in data or b"[dtui" in data for _, data, _, _ in told)
    assert [bool(gap) for _, _, _, gap in told] == [False, True, False]
    followed.close()


def test_without_holes_the_log_begins_anew_and_its_end_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(file: IO[bytes], start: int, length: int) -> None:
        raise OSError(errno.EOPNOTSUPP, "no holes")

    monkeypatch.setattr(log_limit, "_punch", refuse)
    log = tmp_path / "rank-0.log"
    with log.open("ab", buffering=0) as rank:
        for number in range(20_000):
            rank.write(b"%09d\n" % number)
        followed = Followed(str(log))
        for _ in range(9):
            list(followed.read())
        assert "was restarted" in str(LogLimit(str(log), 1 << 16).check())
        rank.write(b"after\n")
    assert (
        log.read_bytes() == b"[dtui: 200000 bytes were dropped here, the last of them are in .old]\nafter\n"
    )
    assert Path(f"{log}.old").read_bytes().endswith(b"000019999\n")
    assert not Path(gap_file(str(log))).exists()
    told = [piece for _ in range(3) for piece in followed.read()]
    assert [note for _, _, note, _ in told if note] == ["truncated"]
    followed.close()


def test_a_log_that_cannot_be_cut_is_said_once(tmp_path: Path) -> None:
    log = tmp_path / "rank-0.log"
    (tmp_path / "real").write_bytes(b"x" * (1 << 18))
    log.symlink_to(tmp_path / "real")
    limit = LogLimit(str(log), 1 << 16)
    assert "can't be kept under its limit" in str(limit.check())
    assert limit.check() is None
    assert (tmp_path / "real").stat().st_size == 1 << 18
