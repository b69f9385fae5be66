"""Recorded observations, and the results of a preflight with them."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import msgspec

from agent.wire.frames import Hello
from agent.wire.message import Message
from agent.wire.preflight import Conditions, NetprobeResult, PortcheckResult
from fleet.data import data_of
from fleet.events import CheckFinished
from fleet.inventory import Inventory, Node, RunSettings
from fleet.inventory.model import DataSettings
from fleet.preflight.board import Board
from fleet.preflight.catalog import checks_for
from fleet.preflight.check import Situation
from fleet.preflight.observations import (
    CODE,
    CONDITIONS,
    CONFIG,
    DATA,
    FACTS,
    LINK,
    LINKS,
    MESH,
    OUTSIDE,
    PORTS,
    TRIAL,
    Absent,
    AnyObservation,
    ClockReading,
    ConfigObservation,
    DataObservation,
    LinkFailed,
    LinkSpeed,
    LinkUp,
    MeshObservation,
    TrialObservation,
)
from tests.support import wire

#: Observations of a node by their names, as JSON has them.
Observed = dict[str, Any]
_TYPES: dict[AnyObservation, Any] = {
    OUTSIDE: NetprobeResult | None,
    PORTS: PortcheckResult,
    CONDITIONS: Conditions,
    MESH: MeshObservation,
    LINKS: dict[str, LinkSpeed],
    DATA: DataObservation,
    CODE: dict[str, str],
    CONFIG: ConfigObservation,
    TRIAL: TrialObservation,
}
_BY_NAME = {observation.name: observation for observation in (LINK, FACTS, *_TYPES)}
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
    data = DataSettings(**changes["data"]) if "data" in changes else None
    workers = tuple(nodes[1:])
    return Inventory(project=Path("project"), master=nodes[0], workers=workers, run=run, data=data)


def observations(patches: dict[str, Any]) -> dict[str, Observed]:
    """Return the recorded observations, changed at ``node/observation/key/...``.

    ``*`` is every node, ``~`` stands for a ``/`` that belongs to a key.
    """
    seen: dict[str, Observed] = copy.deepcopy(recorded("korean_windows")["nodes"])
    for path, value in patches.items():
        node, *keys = (key.replace("~", "/") for key in path.split("/"))
        for name in seen if node == "*" else [node]:
            place: Any = seen[name]
            for key in keys[:-1]:
                place = place[int(key) if isinstance(place, list) else key]
            place[int(keys[-1]) if isinstance(place, list) else keys[-1]] = copy.deepcopy(value)
    return seen


def typed(name: str, value: Any) -> tuple[AnyObservation, Any]:
    """Return the observation of that name, and its value decoded; raises when a key is missing or unknown."""
    observation = _BY_NAME[name]
    if isinstance(value, Absent):
        return observation, value
    if observation is LINK:
        return observation, _link(value)
    if observation is FACTS:
        return observation, wire.facts(**value)
    found = msgspec.convert(value, _TYPES[observation], dec_hook=_message)
    assert json.loads(msgspec.json.encode(found, enc_hook=str)) == json.loads(json.dumps(value)), (
        "an unknown key"
    )
    return observation, found


def _message(kind: type, value: object) -> object:
    return Message(str(value)) if kind is Message else value


def _link(value: dict[str, Any]) -> LinkUp | LinkFailed:
    fields = {key: one for key, one in value.items() if key != "state"}
    if value["state"] == "failed":
        return msgspec.convert(fields, LinkFailed, dec_hook=_message)
    hello, clock = Hello(**fields.pop("hello")), ClockReading(**fields.pop("clock"))
    return LinkUp(hello=hello, clock=clock, **fields)


def fill(board: Board, seen: dict[str, Observed]) -> list[CheckFinished]:
    """Put all observations on the board; return the results."""
    return [
        result
        for node, values in seen.items()
        for name, value in values.items()
        for result in board.put(node, *typed(name, value))
    ]


def results(
    seen: dict[str, Observed], inventory: Inventory, deploy_bytes: int = 2_000_000
) -> dict[tuple[str, str], CheckFinished]:
    """Return node, check -> result of everything that was observed."""
    situation = Situation(inventory, inventory.nodes, deploy_bytes, 4_000_000_000, data=data_of(inventory))
    board = Board(situation, checks_for(inventory.run.port), clock=lambda: 0.0)
    found = fill(board, seen)
    found += board.settle(Message("not observed"))
    assert len(found) == len({(one.node, one.check) for one in found}), "a cell has one result"
    return {(one.node, one.check): one for one in found}
