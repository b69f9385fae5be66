"""The fleet of all recordings: five machines, what they have, and how they are reached."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator

from agent.wire.message import message
from agent.wire.telemetry import Sample
from fleet.events import (
    Event,
    LinkChanged,
    NodeProbed,
    RankPlan,
)
from fleet.facts import NodeFacts
from tests.support import wire

START = 1_800_000_000.0
GIB = 2**30
NO_ANSWER = message("transport.no-answer", "no answer within {seconds:.0f} s", seconds=10)
NO_ANSWER_REMEDY = message(
    "ssh.no-answer.remedy", "check that the machine is on, the address is right and its firewall allows SSH"
)

#: Node -> (address, GPUs, kind of GPU, memory in GiB, system).
NODES = {
    "master": ("192.168.1.100", 4, "NVIDIA GeForce RTX 4090", 24, "Windows 11 Pro"),
    "gpu1": ("192.168.1.101", 4, "NVIDIA GeForce RTX 4090", 24, "Windows 11 Pro"),
    "gpu2": ("192.168.1.102", 8, "NVIDIA RTX A6000", 48, "Windows Server 2022"),
    "연구실-3": ("192.168.1.103", 2, "NVIDIA GeForce RTX 3080", 10, "Windows 10 Education"),
    "gpu4": ("192.168.1.104", 0, "", 0, ""),
}


def facts(node: str, index: int) -> NodeFacts:
    address, count, kind, memory, system = NODES[node]
    return wire.facts(
        host=node,
        os={"name": system, "system": "Windows", "build": "10.0.22631", "version": "10.0"},
        cpu={"model": "AMD Ryzen Threadripper PRO 5975WX", "cores": 32, "threads": 64, "usable": 64},
        ram={"total": 256 * GIB, "free": 201 * GIB},
        disk={"path": "D:\\ml-project", "total": 2000 * GIB, "free": (820 - 270 * index) * GIB},
        python={"version": "3.11.9", "executable": "C:\\Python311\\python.exe", "bits": 64},
        gpus=[
            {"index": i, "name": kind, "memory_total": memory * GIB, "driver": "566.36"} for i in range(count)
        ],
        adapters=[
            {
                "name": "이더넷 2" if index == 3 else "Ethernet",
                "addresses": [address],
                "speed_mbps": 10_000,
                "routes_to_master": True,
                "default_route": True,
            }
        ],
    )


def sample(node: str, index: int, second: int, busy: bool) -> Sample:
    dice = random.Random(index * 1000 + second)
    _, count, kind, memory, _ = NODES[node]
    gpus = []
    for i in range(count):
        util = (
            min(100, max(0, round(93 + 6 * math.sin(second / 5 + i) - (35 if index == 3 else 0))))
            if busy
            else 0
        )
        gpus.append(
            {
                "index": i,
                "name": kind,
                "util": util + dice.randint(-3, 0) if busy else 0,
                "memory_used": int((0.82 if busy else 0.03) * memory * GIB),
                "memory_total": memory * GIB,
                "power": 388.0 if busy else 31.0,
                "power_cap": 450.0,
                "temperature": 71 + i if busy else 38,
                "clock": 2520,
                "processes": [{"pid": pid, "name": "python.exe"} for pid in _pids(node, i)] if busy else [],
            }
        )
    return wire.sample(
        time=START + second,
        gpus=gpus,
        cpu={"util": 37.0 + index if busy else 4.0},
        ram={"used": 96 * GIB, "total": 256 * GIB},
        network={
            "speed_mbps": 10_000,
            "rx": 612 * 2**20 if busy else 2_000,
            "tx": 598 * 2**20 if busy else 1_500,
        },
    )


def ranks() -> tuple[RankPlan, ...]:
    placed = [(node, i) for node in list(NODES)[:4] for i in range(min(2, NODES[node][1]))]
    return tuple(RankPlan(node=node, rank=rank, local_rank=i) for rank, (node, i) in enumerate(placed))


def _pids(node: str, gpu: int) -> list[int]:
    return [4200 + plan.rank for plan in ranks() if (plan.node, plan.local_rank) == (node, gpu)]


def links(reached: int = 4, at: float = 0.0) -> Iterator[Event]:
    for index, node in enumerate(list(NODES)[:reached]):
        kind = "local" if index == 0 else "winrm" if index == 3 else "ssh"
        latency = 0.1 if index == 0 else 0.8 + index
        yield LinkChanged(node=node, at=START + at, state="up", transport=kind, latency_ms=latency)
        yield NodeProbed(node=node, at=START + at + 0.2, facts=facts(node, index))
