"""Which node opens gloo's connection of a pair, tested with torch itself between network namespaces."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.support.namespaces import network

JOIN = """
import datetime, os, torch
import torch.distributed as dist
dist.init_process_group("gloo", timeout=datetime.timedelta(seconds=240))
value = torch.ones(1)
dist.all_reduce(value)
print("together", int(value), flush=True)
"""


@pytest.mark.namespaces
@pytest.mark.torch
@pytest.mark.parametrize("first", ["lower", "higher"])
def test_the_node_with_the_higher_address_connects_regardless_of_its_rank(first: str, tmp_path: Path) -> None:
    with network(tmp_path, "lower", "higher") as net:
        net.between(f"{net.connections('lower', 'higher')} tcp dport 30000-65535 drop")
        names = [first, *(name for name in net.machines if name != first)]
        env = {"WORLD_SIZE": 2, "MASTER_ADDR": net[first].address, "MASTER_PORT": 29500, "USE_LIBUV": 0}
        ranks = []
        for rank, name in enumerate(names):
            own = {**env, "RANK": rank, "GLOO_SOCKET_IFNAME": net[name].device}
            words = [f"{key}={value}" for key, value in own.items()]
            ranks.append(net[name].start("env", *words, sys.executable, "-c", JOIN))
        assert [rank.communicate(timeout=60)[0].strip() for rank in ranks] == [b"together 2"] * 2
