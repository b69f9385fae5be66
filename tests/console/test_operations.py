"""What each operation requires, and what must not be under way beside it."""

from __future__ import annotations

import pytest

from fleet.state import FleetState
from tests.console.driving import settled, text_of, until
from tests.console.fakes import console, recorded
from tui.operations.operation import RULES, Operation, Requirement

EMPTY = FleetState()
BUSY = FleetState.of(["gpu1"]).after_all(recorded("monitor_busy"))
OVER = FleetState.of(["gpu1"]).after_all(recorded("monitor_error"))


def test_every_operation_has_a_rule():
    assert list(RULES) == list(Operation)


@pytest.mark.parametrize(
    ("operation", "state", "unmet"),
    [
        (Operation.UP, EMPTY, Requirement.NODES),
        (Operation.UP, BUSY, Requirement.NO_ACTIVE_RUN),
        (Operation.UP, OVER, None),
        (Operation.STOP, EMPTY, Requirement.ACTIVE_RUN),
        (Operation.STOP, BUSY, None),
        (Operation.STOP, OVER, Requirement.ACTIVE_RUN),
        (Operation.DEPLOY, EMPTY, Requirement.NODES),
        (Operation.DEPLOY, BUSY, None),
        (Operation.WATCH, EMPTY, None),
    ],
)
def test_what_is_required_is_looked_up_in_the_state(
    operation: Operation, state: FleetState, unmet: Requirement | None
):
    assert operation.rule.unmet(state) is unmet


def test_what_excludes_another_is_excluded_by_it():
    assert [
        (one, other) for one in Operation for other in one.rule.excludes if one not in other.rule.excludes
    ] == []


@pytest.mark.parametrize("key", ["d", "l"])
async def test_without_a_node_nothing_is_asked(key: str):
    app = console(mode="deploy")
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        await settled(pilot)
        await pilot.press(key)
        await until(pilot, lambda: app.session.texts("empty.short") in text_of(app))
        assert app.operations.asked == [("watch",)]
