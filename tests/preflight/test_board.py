"""The matrix while it fills: when a cell is evaluated, in which order, and how fast with many nodes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from fleet.inventory import Inventory, Node
from fleet.plan import RunPlan, plan_run
from fleet.preflight import NoSuchCheck, checks_for, columns
from fleet.preflight.board import Board
from fleet.preflight.catalog import select
from fleet.preflight.check import Situation
from fleet.preflight.checks import run_plan
from fleet.preflight.observations import MESH, ObservationStore
from fleet.preflight.observers.mesh import rounds
from fleet.preflight.pairs import (
    BlockedRoute,
    blocked_messages,
    blocked_routes,
    peer_address,
    port_ranges,
    source_of,
)
from tests.preflight.recordings import Observed, fill, inventory, observations, typed
from tests.support import wire

PORTS = tuple(range(29500, 29505))


def board(**fields: Any) -> Board:
    fleet = inventory()
    return Board(Situation(fleet, fleet.nodes), checks_for(), clock=lambda: 0.0, **fields)


def test_a_check_of_one_node_does_not_wait_for_the_others() -> None:
    seen = observations({})
    results = board().put("gpu1", *typed("link", seen["gpu1"]["link"]))
    assert {"reach", "login", "python", "clock"} <= {one.check for one in results}
    assert {one.node for one in results} == {"gpu1"}


def test_a_check_of_the_fleet_waits_for_all() -> None:
    seen, matrix = observations({}), board()
    results = []
    for node in seen:
        assert not [one for one in results if one.check == "gpu-same"]
        results += matrix.put(node, *typed("facts", seen[node]["facts"]))
    assert [one.node for one in results if one.check == "gpu-same"] == ["master", "gpu1", "gpu2"]


def test_only_the_wanted_row_gets_results_and_the_others_still_count() -> None:
    seen = observations({"gpu2/mesh/reaches/gpu1/ephemeral": {"outcome": "dropped", "ms": None}})
    fleet = inventory()
    matrix = board(rows=[fleet.node("gpu1")])
    results = fill(matrix, seen)
    assert {one.node for one in results} == {"gpu1"}
    assert next(one for one in results if one.check == "ephemeral").status == "fail"


def test_columns_are_the_same_for_console_and_documents() -> None:
    names = [column.name for column in columns()]
    assert len(names) == len(set(names))
    assert names[names.index("29500") : names.index("ephemeral")] == [str(port) for port in PORTS]
    assert [column.name for column in columns(31000)].count("31000") == 1


def test_checks_are_chosen_by_name_and_group() -> None:
    chosen = select(checks_for(), ["sleep", "reach"])
    assert [check.name for check in chosen][:2] == ["ping", "name"]
    assert chosen[-1].name == "sleep"
    with pytest.raises(NoSuchCheck, match="slep") as caught:
        select(checks_for(), ["slep"])
    assert "sleep" in caught.value.remedy


def many(count: int) -> tuple[Inventory, dict[str, Observed]]:
    one = observations({})["gpu2"]
    nodes = [
        Node(name=f"n{number}", address=f"10.0.0.{number}", transport="ssh", project="~/p")
        for number in range(1, count + 1)
    ]
    fleet = Inventory(
        project=Path("p"), master=replace(nodes[0], transport="local"), workers=tuple(nodes[1:])
    )
    ports = one["mesh"]["reaches"]["gpu1"]
    seen = {
        node.name: {
            **one,
            "mesh": {
                **one["mesh"],
                "reaches": {other.name: dict(ports) for other in nodes if other is not node},
            },
            "links": {other.name: {"rtt": 0.3, "rate": 1e9} for other in nodes if other is not node},
        }
        for node in nodes
    }
    return fleet, json.loads(json.dumps(seen))


def test_shared_results_are_computed_once_for_64_nodes(monkeypatch: pytest.MonkeyPatch) -> None:
    """`python -m benchmarks.preflight_matrix` measures the time."""
    planned = []

    def count(*args: Any, **options: Any) -> RunPlan:
        planned.append(args)
        return plan_run(*args, **options)

    monkeypatch.setattr(run_plan, "plan_run", count)
    fleet, seen = many(64)
    matrix = Board(Situation(fleet, fleet.nodes), checks_for(), clock=lambda: 0.0)
    results = fill(
        matrix,
        {
            node: {name: one for name, one in values.items() if name != "mesh"}
            for node, values in seen.items()
        },
    )
    before, (*others, last) = len(planned), seen
    assert not any(matrix.put(node, *typed("mesh", seen[node]["mesh"])) for node in others)
    at_once = matrix.put(last, *typed("mesh", seen[last]["mesh"]))
    assert len(at_once) == 64 * (len(PORTS) + 1)
    assert len(results) + len(at_once) == 64 * len(checks_for())
    assert before <= 4, "once for each observation that completes a check of the fleet"
    assert len(planned) - before <= 1


def test_the_matrix_names_exactly_the_broken_pairs() -> None:
    fleet, seen = many(16)
    seen["n3"]["mesh"]["reaches"]["n5"]["29500"] = {"outcome": "dropped", "ms": None}
    for port in seen["n9"]["mesh"]["reaches"]["n2"].values():
        port["outcome"] = "refused"
    for source in ("n10", "n11", "n12"):
        seen[source]["mesh"]["reaches"]["n4"] = {
            "29500": {"outcome": "open", "ms": 0.1},
            "ephemeral": {"outcome": "dropped", "ms": None},
        }
    meshes = ObservationStore()
    for node, values in seen.items():
        meshes.put(node, MESH, values["mesh"])
    found = blocked_routes(meshes, fleet.nodes)
    assert {(one.source, one.target) for one in found} == {
        ("n3", "n5"), ("n9", "n2"), ("n10", "n4"), ("n11", "n4"), ("n12", "n4"),
    }  # fmt: skip
    messages = blocked_messages(found)
    assert messages[0] == (
        "n3 cannot connect to n5 on port 29500: "
        "no response although a listener was open (dropped by a firewall)"
    )
    assert any(text.startswith("n9 cannot connect to n2 on any port: refused") for text in messages)
    together = "n[10-12] cannot connect to n4 on an ephemeral port: no response"
    assert any(text.startswith(together) for text in messages)
    assert len(messages) == 3


def test_ports_are_shown_as_ranges() -> None:
    ports = ("29500", "29501", "29502", "29504", "ephemeral")
    assert port_ranges(ports) == "29500-29502, 29504"
    assert blocked_messages([BlockedRoute("a", "b", ports, "error", False)]) == [
        "a cannot connect to b on port 29500-29502, 29504 and an ephemeral port: "
        "the operating system refused to connect"
    ]
    assert blocked_messages([BlockedRoute("a", "b", ("29500", "29501"), "silent", False)])[0].startswith(
        "a cannot connect to b on port 29500-29501: connected, but no response"
    )


def test_peers_listen_where_gloo_will() -> None:
    node = Node(name="gpu1", address="gpu1.lab", transport="ssh", project="~/p")
    source = source_of(wire.facts(route={"source": "192.168.7.4"}))
    assert peer_address(node, source, "192.168.7.1", first=False) == "192.168.7.4"
    assert peer_address(node, source_of(None), "192.168.7.1", first=False) == "gpu1.lab"
    assert peer_address(node, source, "192.168.7.1", first=True) == "192.168.7.1"
    lab = replace(node, address="127.0.5.11")
    assert peer_address(lab, "127.0.0.1", "127.0.5.1", first=False) == "127.0.5.11"


@pytest.mark.parametrize("count", [2, 3, 8, 9])
def test_every_pair_is_measured_once_and_no_node_twice_in_a_round(count: int) -> None:
    names = [f"n{number}" for number in range(count)]
    played = rounds(names)
    pairs = [frozenset(pair) for games in played for pair in games]
    assert len(pairs) == len(set(pairs)) == count * (count - 1) // 2
    for games in played:
        busy = [name for pair in games for name in pair]
        assert len(busy) == len(set(busy))
