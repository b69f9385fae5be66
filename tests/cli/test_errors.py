"""Errors as text and as JSON."""

from __future__ import annotations

import json

import pytest

from agent.wire.message import Message, message
from fleet.errors import FleetError
from fleet.inventory.faults import Fault, InventoryError
from tests.hostile.terminal.hostile_text import ATTACKS, unsafe_in
from tui.cli.errors import error_data, error_text
from tui.cli.exits import UsageError
from tui.i18n import Texts

BUSY = message("agent.busy", "{count} requests are running already", count=3)
LATER = message("agent.busy.remedy", "try again later")
ENGLISH, KOREAN = Texts("en"), Texts("ko")


def test_an_error_names_its_node_and_has_its_remedy_on_a_second_line() -> None:
    error = FleetError(BUSY, node="gpu1", remedy=LATER)
    assert error_text(error, ENGLISH) == "gpu1: 3 requests are running already\n    -> try again later"
    assert error_text(error, KOREAN) == (
        "gpu1: 이미 요청 3개를 처리하고 있습니다\n    -> 나중에 다시 시도하세요"
    )
    assert error_text(UsageError(BUSY), ENGLISH) == "3 requests are running already"


def test_each_fault_of_an_inventory_is_a_line() -> None:
    faults = [
        Fault(BUSY, LATER, file="nodes.yaml", line=3, column=5, key="defaults.port"),
        Fault(Message("x"), file="nodes.yaml"),
    ]
    assert error_text(InventoryError(faults), KOREAN).splitlines() == [
        "nodes.yaml:3:5: defaults.port: 이미 요청 3개를 처리하고 있습니다; 나중에 다시 시도하세요",
        "    nodes.yaml: x",
    ]


def test_an_error_in_json_has_ids_and_arguments() -> None:
    assert json.loads(json.dumps(error_data(FleetError(BUSY, node="gpu1", remedy=LATER)))) == {
        "what": {"id": "agent.busy", "args": {"count": 3}, "text": "3 requests are running already"},
        "remedy": {"id": "agent.busy.remedy", "args": {}, "text": "try again later"},
    }


@pytest.mark.parametrize("name", ATTACKS)
def test_foreign_text_in_an_error_imitates_no_other_line(name: str) -> None:
    attack = f"first\ndtui: second {ATTACKS[name]}"
    shown = error_text(FleetError(Message(attack), node=attack, remedy=Message(attack)), ENGLISH)
    assert unsafe_in(shown) == []
    assert not any(line.startswith("dtui: ") for line in shown.splitlines())
