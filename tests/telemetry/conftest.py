"""A real agent on this machine, and an ``nvidia-smi`` that this test wrote."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path
from typing import Protocol

import psutil
import pytest

from fleet.link.client import AgentClient
from tests.support import nvidia_smi as nvidia_smi_program
from tests.support.agents import local_agent

GPU_LINE = (
    "{index}, GPU-{index}, NVIDIA GeForce RTX 4090, 551.86, Default, 24564, 1893, {util}, 3, 31.52, 450.00, "
    "41, 2520, 10501, 3105, 1, 16, 0, [N/A], [N/A]"
)


class FakeNvidiaSmi(Protocol):
    def __call__(self, gpus: int) -> None: ...


@pytest.fixture
def nvidia_smi(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeNvidiaSmi:
    """Put an ``nvidia-smi`` that lists so many GPUs before all others on the agent's PATH."""

    def install(gpus: int) -> None:
        lines = "\n".join(GPU_LINE.format(index=index, util=10 * index) for index in range(gpus))
        processes = "GPU-1, 4711, [N/A], /home/kim/.venv/bin/python"
        program = nvidia_smi_program.install(tmp_path / "bin", lines, processes)
        monkeypatch.setenv("PATH", f"{program.parent}:/usr/bin:/bin")

    return install


@pytest.fixture
async def agent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[AgentClient]:
    """A link to an agent that was started just now; ask for ``nvidia_smi`` before it."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    async with local_agent() as client:
        yield client


def samplers(agent: AgentClient) -> list[psutil.Process]:
    """Return the living sampler processes of an agent."""
    found = []
    for child in psutil.Process(agent.hello.pid).children():
        with suppress(psutil.Error):  # it may end while it is looked at
            if "sample" in child.cmdline():
                found.append(child)
    return found
