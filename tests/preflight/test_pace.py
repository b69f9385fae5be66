"""A busy machine's silence is not taken for a closed port."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import cast

import pytest

from agent.wire.mesh import Attempt
from fleet.inventory import Node
from fleet.link.bundle import pack_agent
from fleet.preflight.observers.mesh import MeshRequest, Peer

KEY = "ab" * 32
SILENT: Attempt = {"outcome": "silent", "ms": 1.0}
REFUSED: Attempt = {"outcome": "refused", "ms": None}


class Silence:
    """A request whose answers nobody reads."""

    def __aiter__(self) -> Silence:
        return self

    async def __anext__(self) -> object:
        raise StopAsyncIteration


def peer(name: str, lag: float, reaches: Mapping[str, Attempt]) -> Peer:
    made = Peer(Node(name=name, address="10.0.0.1", project="~/p"), cast(MeshRequest, Silence()), KEY)
    made.lag = lag
    made.reaches = {"b" if name == "a" else "a": dict(reaches)}
    return made


@pytest.mark.parametrize(("here", "there", "outcome"), [(0.1, 0.1, "silent"), (2.0, 0.1, "unmeasured"),
                                                        (0.1, 2.0, "unmeasured")])  # fmt: skip
def test_silence_counts_only_where_both_ends_had_their_turns(here: float, there: float, outcome: str) -> None:
    a, b = peer("a", here, {"29500": SILENT, "29501": REFUSED}), peer("b", there, {})
    a.judge({"a": a, "b": b})
    assert a.reaches["b"]["29500"]["outcome"] == outcome
    assert a.reaches["b"]["29501"] == REFUSED, "a refusal is an answer"


@pytest.mark.needs("posix")
async def test_a_peer_that_gets_no_turn_reports_it(tmp_path: Path) -> None:
    archive = tmp_path / "agent.pyz"
    archive.write_bytes(pack_agent().archive)
    assert zipfile.is_zipfile(archive)
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-I",
        str(archive),
        "peer",
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdin is not None
    assert process.stdout is not None

    async def ask() -> float:
        command = {"do": "reach", "targets": [], "key": KEY}
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(json.dumps(command).encode() + b"\n")
        return float(json.loads(await process.stdout.readline())["lag"])

    before = await ask()
    os.kill(process.pid, signal.SIGSTOP)
    await asyncio.sleep(before + 1.5)  # not to wait for anything: this is the lag that it is to report
    os.kill(process.pid, signal.SIGCONT)
    lag = await ask()
    while lag < before + 1.0:  # its own turn to notice may come after ours
        lag = await ask()
    process.stdin.close()
    await process.wait()
