"""What machines said, and what a preflight makes of it."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

from fleet.events import CheckFinished
from fleet.inventory import Inventory, Node, RunSettings
from fleet.preflight.board import Board
from fleet.preflight.catalog import checks_for, ports_for
from fleet.preflight.check import Situation

RECORDED = Path(__file__).parent / "recorded"
ADDRESSES = {"master": "192.168.1.100", "gpu1": "192.168.1.101", "gpu2": "192.168.1.102"}


def recorded(name: str) -> Any:
    return json.loads((RECORDED / f"{name}.json").read_text("utf-8"))


def inventory(**changes: Any) -> Inventory:
    """Three machines; ``gpu1`` and the like change fields of a node, ``run`` those of the run."""
    nodes = []
    for name, address in ADDRESSES.items():
        fields: dict[str, Any] = {
            "name": name,
            "address": address,
            "transport": "local" if name == "master" else "ssh",
            "project": "~/dtui/floorplan",
            **changes.get(name, {}),
        }
        nodes.append(Node(**fields))
    run = RunSettings(**changes.get("run", {}))
    return Inventory(project=Path("project"), master=nodes[0], workers=tuple(nodes[1:]), run=run)


def observations(patches: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the recorded observations, changed at ``node/observation/key/...``.

    ``*`` is every node, ``~`` stands for a ``/`` that belongs to a key.
    """
    seen: dict[str, dict[str, Any]] = copy.deepcopy(recorded("korean_windows")["nodes"])
    for path, value in patches.items():
        node, *keys = (key.replace("~", "/") for key in path.split("/"))
        for name in seen if node == "*" else [node]:
            place: Any = seen[name]
            for key in keys[:-1]:
                place = place[int(key) if isinstance(place, list) else key]
            place[int(keys[-1]) if isinstance(place, list) else keys[-1]] = copy.deepcopy(value)
    return seen


def results(
    seen: dict[str, dict[str, Any]], inventory: Inventory, deploy_bytes: int = 2_000_000
) -> dict[tuple[str, str], CheckFinished]:
    """Return node, check -> result of everything that was observed."""
    situation = Situation(inventory, inventory.nodes, ports_for(inventory.run.port), deploy_bytes)
    board = Board(situation, checks_for(inventory.run.port), clock=lambda: 0.0)
    found = []
    for node, values in seen.items():
        for name, value in values.items():
            found += board.put(node, name, value)
    found += board.settle("nobody looked")
    assert len(found) == len({(one.node, one.check) for one in found}), "a cell has one result"
    return {(one.node, one.check): one for one in found}
