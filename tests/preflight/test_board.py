"""The matrix while it fills: when a cell is judged, in which order, and how fast with many nodes."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from fleet.inventory import Inventory, Node
from fleet.plan import RunPlan, plan_run
from fleet.preflight import NoSuchCheck, checks_for, columns
from fleet.preflight.board import Board
from fleet.preflight.catalog import select
from fleet.preflight.check import Situation
from fleet.preflight.judges import environment
from fleet.preflight.observers.mesh import rounds
from fleet.preflight.pairs import Broken, broken_ways, peer_address, port_list, sentences, source_of
from tests.preflight.recordings import inventory, observations

PORTS = tuple(range(29500, 29505))


def board(**fields: Any) -> Board:
    fleet = inventory()
    return Board(Situation(fleet, fleet.nodes, PORTS), checks_for(), clock=lambda: 0.0, **fields)


def test_a_check_of_one_node_does_not_wait_for_the_others() -> None:
    seen = observations({})
    told = board().put("gpu1", "link", seen["gpu1"]["link"])
    assert {"reach", "login", "python", "clock"} <= {one.check for one in told}
    assert {one.node for one in told} == {"gpu1"}


def test_a_check_of_the_fleet_waits_for_all() -> None:
    seen, matrix = observations({}), board()
    told = []
    for node in seen:
        assert not [one for one in told if one.check == "gpu-same"]
        told += matrix.put(node, "facts", seen[node]["facts"])
    assert [one.node for one in told if one.check == "gpu-same"] == ["master", "gpu1", "gpu2"]


def test_only_the_wanted_row_is_told_and_the_others_still_count() -> None:
    seen = observations({"gpu2/mesh/reaches/gpu1/ephemeral": {"outcome": "dropped", "ms": None}})
    fleet = inventory()
    matrix = board(rows=[fleet.node("gpu1")])
    told = []
    for node, values in seen.items():
        for name, value in values.items():
            told += matrix.put(node, name, value)
    assert {one.node for one in told} == {"gpu1"}
    assert next(one for one in told if one.check == "ephemeral").status == "fail"


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


def many(count: int) -> tuple[Inventory, dict[str, dict[str, Any]]]:
    one = observations({})["gpu2"]
    nodes = [
        Node(name=f"n{number}", address=f"10.0.0.{number}", transport="ssh", project="~/p")
        for number in range(1, count + 1)
    ]
    fleet = Inventory(
        project=Path("p"), master=replace(nodes[0], transport="local"), workers=tuple(nodes[1:])
    )
    ways = one["mesh"]["reaches"]["gpu1"]
    seen = {
        node.name: {
            **one,
            "mesh": {
                **one["mesh"],
                "reaches": {other.name: dict(ways) for other in nodes if other is not node},
            },
            "links": {other.name: {"rtt": 0.3, "rate": 1e9} for other in nodes if other is not node},
        }
        for node in nodes
    }
    return fleet, json.loads(json.dumps(seen))


def test_what_all_cells_need_is_worked_out_once_for_sixty_four_nodes(monkeypatch: pytest.MonkeyPatch) -> None:
    """`python -m benchmarks.preflight_matrix` takes the time."""
    laid_out = []

    def count(*args: Any, **options: Any) -> RunPlan:
        laid_out.append(args)
        return plan_run(*args, **options)

    monkeypatch.setattr(environment, "plan_run", count)
    fleet, seen = many(64)
    matrix = Board(Situation(fleet, fleet.nodes, PORTS), checks_for(), clock=lambda: 0.0)
    told = []
    for node, values in seen.items():
        for name, value in values.items():
            if name != "mesh":
                told += matrix.put(node, name, value)
    before, (*others, last) = len(laid_out), seen
    assert not any(matrix.put(node, "mesh", seen[node]["mesh"]) for node in others)
    at_once = matrix.put(last, "mesh", seen[last]["mesh"])
    assert len(at_once) == 64 * (len(PORTS) + 1)
    assert len(told) + len(at_once) == 64 * len(checks_for())
    assert before <= 4, "once for each observation that completes a check of the fleet"
    assert len(laid_out) - before <= 1


def test_the_matrix_names_exactly_the_broken_pairs() -> None:
    fleet, seen = many(16)
    seen["n3"]["mesh"]["reaches"]["n5"]["29500"] = {"outcome": "dropped", "ms": None}
    for port in seen["n9"]["mesh"]["reaches"]["n2"].values():
        port["outcome"] = "refused"
    for source in ("n10", "n11", "n12"):
        seen[source]["mesh"]["reaches"]["n4"] = {
            "29500": {"outcome": "open"},
            "ephemeral": {"outcome": "dropped"},
        }
    found = broken_ways(seen, fleet.nodes)
    assert {(one.source, one.target) for one in found} == {
        ("n3", "n5"), ("n9", "n2"), ("n10", "n4"), ("n11", "n4"), ("n12", "n4"),
    }  # fmt: skip
    told = sentences(found)
    assert "n3 can't reach n5 on 29500: no answer although a listener was there (a firewall drops it)" in told
    assert any(text.startswith("n9 can't reach n2 on any port: refused") for text in told)
    assert any(text.startswith("n[10-12] can't reach n4 on an ephemeral port: no answer") for text in told)
    assert len(told) == 3


def test_ports_are_told_as_ranges() -> None:
    assert port_list(["29500", "29501", "29502", "29504", "ephemeral"]) == (
        "29500-29502, 29504 and an ephemeral port"
    )
    assert sentences([Broken("a", "b", ("29500", "29501"), "silent", False)])[0].startswith(
        "a can't reach b on 29500-29501: connected, then silence"
    )


def test_peers_listen_where_gloo_will() -> None:
    node = Node(name="gpu1", address="gpu1.lab", transport="ssh", project="~/p")
    source = source_of({"route": {"source": "192.168.7.4"}})
    assert peer_address(node, source, "192.168.7.1", first=False) == "192.168.7.4"
    assert peer_address(node, source_of(None), "192.168.7.1", first=False) == "gpu1.lab"
    assert peer_address(node, source, "192.168.7.1", first=True) == "192.168.7.1"
    lab = replace(node, address="127.0.5.11")
    assert peer_address(lab, "127.0.0.1", "127.0.5.1", first=False) == "127.0.5.11"


@pytest.mark.parametrize("count", [2, 3, 8, 9])
def test_every_pair_is_measured_once_and_nobody_twice_in_a_round(count: int) -> None:
    names = [f"n{number}" for number in range(count)]
    played = rounds(names)
    pairs = [frozenset(pair) for games in played for pair in games]
    assert len(pairs) == len(set(pairs)) == count * (count - 1) // 2
    for games in played:
        busy = [name for pair in games for name in pair]
        assert len(busy) == len(set(busy))
