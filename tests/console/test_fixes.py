"""A fix is asked for with all of its commands, whatever their length; checks and fixes take turns."""

from __future__ import annotations

import asyncio
import re

import pytest
from syrupy.assertion import SnapshotAssertion

from fleet.preflight.fixes import Fix
from tests.console.driving import settled, text_of, until
from tests.console.fakes import Recorded, cards, console
from tui.dialogs.confirm_fix import ConfirmFixScreen
from tui.operations.operation import Operation

OTHERS = [f"10.0.{number // 250}.{number % 250 + 1}" for number in range(255)]
FIX = Fix(
    "gpu1", f"let {', '.join(OTHERS)} in at all TCP ports, and nobody else", ("29500",),
    (("iptables", "-I", "INPUT", "-p", "tcp", "-s", ",".join(OTHERS), "-j", "ACCEPT"),),
    needs_administrator=True,
)  # fmt: skip


@pytest.mark.parametrize("production", [False, True])
async def test_a_long_command_scrolls_and_no_is_the_answer(production: bool, screen: SnapshotAssertion):
    app = console("nodes_busy", "preflight", operations=Recorded(cards(), production=production))
    async with app.run_test(size=(80, 24)) as pilot:
        answer = asyncio.create_task(app.questions.agreed(FIX))
        await until(pilot, lambda: isinstance(app.screen, ConfirmFixScreen))
        assert await settled(pilot) == screen(name="80x24")
        shown = text_of(app)
        assert ("PRODUCTION" in shown) is production
        assert "No (n)" in shown
        assert "iptables -I INPUT" in shown
        assert "-j ACCEPT" not in shown
        # Nothing of the command is lost where a line breaks.
        assert ",".join(OTHERS[:40]) in "".join(re.findall(r"[\d.,]{30,}", shown))
        await pilot.press(*["pagedown"] * 20)
        await until(pilot, lambda: "-j ACCEPT" in text_of(app))
        await pilot.press("enter")
        assert await answer is False


@pytest.mark.parametrize(("active", "key"), [("fix", "p"), ("preflight", "M")])
async def test_checks_and_fixes_take_turns(active: str, key: str):
    app = console("preflight_error", "preflight")
    async with app.run_test(size=(120, 40)) as pilot:
        await settled(pilot)
        app.engine.run(Operation(active), app.operations.watch)
        await until(pilot, lambda: active in app.engine.running)
        await pilot.press(key)
        await settled(pilot)
        assert {asked[0] for asked in app.operations.asked} == {"watch"}
