"""Inventories and facts for the tests of plans."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from fleet.facts import NodeFacts
from fleet.inventory import Inventory, Node, RunSettings, default_master
from tests.support import wire

PROJECT = Path("/home/kim/floorplan")


def worker(name: str, address: str, **fields: Any) -> Node:
    return Node(name=name, address=address, project="~/dtui/floorplan", **fields)


def inventory(*workers: Node, master: str = "192.168.1.100", run: RunSettings | None = None) -> Inventory:
    return Inventory(
        project=PROJECT, master=default_master(PROJECT, master), workers=workers, run=run or RunSettings()
    )


def facts(
    address: str, *, gpus: int = 0, system: str = "Linux", adapter: str = "eth0", routes: bool = True
) -> NodeFacts:
    """What `probe` tells of a node with one adapter besides loopback."""
    loopback = address.startswith("127.")
    return wire.facts(
        os={"system": system},
        gpus=[{"index": index, "name": "GPU"} for index in range(gpus)],
        adapters=[
            {"name": "lo", "addresses": ["127.0.0.1", "::1"], "routes_to_master": routes and loopback},
            {"name": "vpn0", "addresses": ["10.9.9.9"], "routes_to_master": False},
            {
                "name": adapter,
                "addresses": [] if loopback else [address, "fe80::1%2"],
                "routes_to_master": routes and not loopback,
            },
        ],
    )
