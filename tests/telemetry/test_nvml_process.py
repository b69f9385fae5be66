"""The sampler's process over a shared library: pynvml out of the archive, and a driver that hangs."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path

import pytest

from agent.deltas import Decoder
from agent.wire.gpu import ProbedGpu
from agent.wire.operations import OPERATIONS
from fleet.link.client import AgentClient
from tests.telemetry.conftest import samplers


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("nvml")
    source = Path(__file__).parent / "fake_nvml.c"
    command = ["cc", "-shared", "-fPIC", "-Wall", "-o", str(folder / "libnvidia-ml.so.1"), str(source)]
    subprocess.run(command, check=True, timeout=60)
    return folder


@pytest.fixture
def hang(library: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give the agent the driver; while the returned file exists it hangs."""
    monkeypatch.setenv("LD_LIBRARY_PATH", str(library))
    monkeypatch.setenv("FAKE_NVML_HANG", str(tmp_path / "hang"))
    return tmp_path / "hang"


async def test_nvml_is_read_through_the_archives_pynvml(hang: Path, agent: AgentClient) -> None:
    facts = await agent.call(OPERATIONS["probe"], {"project": "", "master_address": ""})
    assert (facts["gpu_source"], facts["gpu_error"]) == ("nvml", None)
    first, second = facts["gpus"]
    assert set(first) == set(ProbedGpu.__annotations__)
    assert (first["driver"], first["cuda"]) == ("550.54.15", "12.4")
    assert (first["util"], second["util"], first["power"]) == (91, 92, 642.18)
    assert (first["memory_total"], first["memory_used"]) == (80 << 30, 12 << 30)
    assert first["processes"] == [{"pid": 4711, "name": "python3", "memory": 11 << 30, "util": None}]
    assert second["processes"] == []
    assert first["temperature"] is first["energy"] is None, "this driver does not tell"


async def test_a_driver_that_hangs_in_a_call_is_told_and_recovers(hang: Path, agent: AgentClient) -> None:
    decoder = Decoder()
    was_stale = False
    async with agent.request(OPERATIONS["telemetry"], {"interval": 0.1}) as request:
        await request.end()
        async for item in request:
            sample = decoder.decode(item.body, item.payload)
            assert [gpu["util"] for gpu in sample["gpus"]] == [91, 92]
            if sample["stale"]:
                was_stale = True
                hang.unlink(missing_ok=True)
            elif was_stale:
                break
            else:
                hang.touch()
    assert sample["error"] is None


async def test_a_stream_that_is_left_while_the_driver_hangs_leaves_no_process(
    hang: Path, agent: AgentClient
) -> None:
    async with agent.request(OPERATIONS["telemetry"], {"interval": 0.1}) as request:
        await request.end()
        async for _ in request:
            if not hang.exists():
                (sampler,) = samplers(agent)
                hang.touch()
            else:
                break
    deadline = time.monotonic() + 120
    while sampler.is_running() and samplers(agent):
        assert time.monotonic() < deadline
        await agent.call(OPERATIONS["ping"], {})
