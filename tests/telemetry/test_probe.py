"""The probe over a real agent."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from agent.wire.operations import OPERATIONS
from fleet.link.client import AgentClient
from tests.telemetry.conftest import FakeNvidiaSmi, samplers

FIELDS = {
    "host", "user", "time", "os", "cpu", "ram", "paging", "disk", "python", "adapters", "route", "power",
    "long_paths", "execution_policy", "login_shell", "elevated", "gpus", "gpu_source", "gpu_error",
    "login", "login_problem",
}  # fmt: skip


async def test_a_node_without_gpu_says_so_and_all_the_rest(agent: AgentClient, tmp_path: Path) -> None:
    facts = await agent.call(
        OPERATIONS["probe"], {"project": str(tmp_path / "new"), "master_address": "127.0.1.1"}
    )
    assert set(facts) == FIELDS
    assert (facts["gpus"], facts["gpu_source"]) == ([], "none")
    assert facts["gpu_error"]["id"] == "gpu.none"
    assert facts["disk"]["path"] == str(tmp_path)
    assert abs(facts["time"] - time.time()) < 30
    assert [adapter["name"] for adapter in facts["adapters"] if adapter["routes_to_master"]] == ["lo"]


async def test_a_probe_leaves_no_process(agent: AgentClient) -> None:
    for _ in range(5):
        await agent.call(OPERATIONS["probe"], {"project": "", "master_address": ""})
    assert samplers(agent) == []


@pytest.fixture
def two_gpus(nvidia_smi: FakeNvidiaSmi) -> None:
    nvidia_smi(2)


async def test_where_nvml_is_missing_nvidia_smi_is_asked(two_gpus: None, agent: AgentClient) -> None:
    facts = await agent.call(OPERATIONS["probe"], {"project": "", "master_address": ""})
    assert facts["gpu_source"] == "nvidia-smi"
    assert [gpu["driver"] for gpu in facts["gpus"]] == ["551.86", "551.86"]
    assert facts["gpus"][1]["processes"] == [{"pid": 4711, "name": "python", "memory": None, "util": None}]
    assert facts["gpus"][0]["memory_total"] == 24564 << 20
