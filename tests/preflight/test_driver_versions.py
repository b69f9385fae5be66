"""Drivers are compared as versions: the GPU machines that scaling is measured on have 580.159."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent.wire.deploy import TorchFacts
from fleet.inventory import Inventory, Node
from fleet.preflight.check import Situation, Subject
from fleet.preflight.checks.torch_gpus import cuda
from fleet.preflight.observations import CONDITIONS, FACTS, ObservationStore
from tests.support import wire


@pytest.mark.parametrize(
    ("driver", "status"),
    [("580.159.04", "ok"), ("580.65.06", "ok"), ("580.9", "fail"), ("575.99", "fail"), ("595.1", "ok")],
)
def test_580_159_is_newer_than_580_65(tmp_path: Path, driver: str, status: str) -> None:
    node = Node(name="gpu1", address="192.168.1.101", project=str(tmp_path))
    inventory = Inventory(project=tmp_path, master=node)
    torch = {
        **dict.fromkeys(TorchFacts.__annotations__),
        "version": "2.11.0+cu130",
        "cuda": "13.0",
        "sees_gpu": True,
    }
    seen = ObservationStore()
    seen.put("gpu1", FACTS, wire.facts(gpus=[{"driver": driver}]))
    seen.put("gpu1", CONDITIONS, wire.conditions(environment={"torch": torch}))
    verdict = cuda(Subject(node, Situation(inventory, (node,)), seen))
    assert verdict.status == status
    assert ("580.65 or newer" in verdict.seen) == (status == "fail")
