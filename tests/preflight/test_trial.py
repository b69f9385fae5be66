"""The trial of GPUs and backend: started detached as a rank is, with the training Python."""

from __future__ import annotations

import json
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from agent.operations.trial import read_result
from fleet.link.bootstrap import start_agent
from fleet.link.bundle import pack_agent
from fleet.link.client import AgentClient
from transports.base import Endpoint
from transports.local import LocalTransport


@pytest.fixture
async def agent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[AgentClient]:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    started = await start_agent(
        LocalTransport(Endpoint("localhost")), pack_agent(), node="gpu1", python=sys.executable
    )
    client = await AgentClient.open(started.channel, node="gpu1", head=started.head)
    yield client
    await client.close()


def deployed(folder: Path, interpreter: str) -> Path:
    (folder / ".dtui").mkdir(parents=True)
    (folder / ".dtui/environment.json").write_text(json.dumps({"interpreter": interpreter}), "utf-8")
    return folder


@pytest.mark.torch
async def test_gloo_starts_and_a_cpu_build_shows_no_device(agent: AgentClient, tmp_path: Path) -> None:
    project = deployed(tmp_path / "project", sys.executable)
    env = {"GLOO_SOCKET_IFNAME": "lo", "CUDA_VISIBLE_DEVICES": ""}
    found = await agent.call("trial", project=str(project), backend="gloo", gpu=True, env=env)
    assert found["error"] is None
    assert found["backend"] == "works"
    assert found["devices"] == []
    assert found["method"] == "session", "it does not belong to the login's session"
    assert [path.name for path in (project / ".dtui").iterdir()] == ["environment.json"], "nothing is left"


@pytest.mark.torch
async def test_a_wrong_adapter_is_found_before_a_run_hangs_on_it(agent: AgentClient, tmp_path: Path) -> None:
    project = deployed(tmp_path / "project", sys.executable)
    env = {"GLOO_SOCKET_IFNAME": "no-such-adapter"}
    found = await agent.call("trial", project=str(project), backend="gloo", gpu=False, env=env)
    assert "no-such-adapter" in found["backend"]


async def test_an_interpreter_that_dies_is_quoted(agent: AgentClient, tmp_path: Path) -> None:
    broken = tmp_path / "python"
    broken.write_text("#!/bin/sh\necho c10.dll was not found\nexit 53\n", "utf-8")
    broken.chmod(0o755)
    project = deployed(tmp_path / "project", str(broken))
    found = await agent.call("trial", project=str(project), backend="gloo", gpu=True, env={})
    assert "status 53" in found["error"]
    assert "c10.dll was not found" in found["error"]


def test_what_did_not_end_is_said() -> None:
    assert "did not end" in read_result({"status": None, "output": "half a line"})["error"]
