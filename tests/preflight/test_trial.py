"""The trial of GPUs and backend: started detached as a rank is, with the training Python."""

from __future__ import annotations

import json
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from agent.operations.trial import read_result
from agent.wire.operations import TRIAL
from agent.wire.preflight import TrialArgs
from fleet.link.client import AgentClient
from tests.support import wire
from tests.support.agents import local_agent


@pytest.fixture
async def agent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[AgentClient]:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    async with local_agent() as client:
        yield client


def deployed(folder: Path, interpreter: str) -> Path:
    (folder / ".dtui").mkdir(parents=True)
    (folder / ".dtui/environment.json").write_text(
        json.dumps(wire.environment(interpreter=interpreter)), "utf-8"
    )
    return folder


@pytest.mark.torch
async def test_gloo_starts_and_a_cpu_build_shows_no_device(agent: AgentClient, tmp_path: Path) -> None:
    project = deployed(tmp_path / "project", sys.executable)
    env = {"GLOO_SOCKET_IFNAME": "lo", "CUDA_VISIBLE_DEVICES": ""}
    found = await agent.call(
        TRIAL, TrialArgs(project=str(project), node="node1", backend="gloo", gpu=True, env=env, variables={})
    )
    assert found["error"] is None
    assert found["backend"] == "works"
    assert found["devices"] == []
    assert found["method"] == "session", "it does not belong to the login's session"
    left = sorted(path.name for path in (project / ".dtui").iterdir())
    assert left == ["environment.json", "private"], "nothing else is left"


@pytest.mark.torch
async def test_a_wrong_adapter_is_found_before_a_run_hangs_on_it(agent: AgentClient, tmp_path: Path) -> None:
    project = deployed(tmp_path / "project", sys.executable)
    env = {"GLOO_SOCKET_IFNAME": "no-such-adapter"}
    found = await agent.call(
        TRIAL, TrialArgs(project=str(project), node="node1", backend="gloo", gpu=False, env=env, variables={})
    )
    assert "no-such-adapter" in found["backend"]


async def test_an_interpreter_that_dies_is_quoted(agent: AgentClient, tmp_path: Path) -> None:
    broken = tmp_path / "python"
    broken.write_text("#!/bin/sh\necho c10.dll was not found\nexit 53\n", "utf-8")
    broken.chmod(0o755)
    project = deployed(tmp_path / "project", str(broken))
    found = await agent.call(
        TRIAL, TrialArgs(project=str(project), node="node1", backend="gloo", gpu=True, env={}, variables={})
    )
    assert found["error"] is not None
    assert "status 53" in found["error"]["text"]
    assert "c10.dll was not found" in found["error"]["text"]


def test_a_trial_that_does_not_end_is_reported() -> None:
    error = read_result({"status": None, "output": "half a line"})["error"]
    assert error is not None
    assert error["text"] == "it did not end within 90 s"
    assert (error["id"], error["args"]) == ("trial.timeout", {"seconds": 90.0})


def test_the_error_of_torch_is_an_argument() -> None:
    output = json.dumps({"error": "ImportError: {x}", "devices": [], "backend": None})
    error = read_result({"status": 0, "output": f"DTUI-TRIAL {output}\n"})["error"]
    assert error == {"id": "trial.failed", "args": {"error": "ImportError: {x}"}, "text": "ImportError: {x}"}
