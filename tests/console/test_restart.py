"""A run is started again from its own checkpoint, and the question says from where."""

from __future__ import annotations

import pytest
from textual.widgets import Label

from fleet.events import RunFinished, RunPlanned
from tests.console.driving import settled, text_of, until
from tests.console.fakes import Recorded, cards, console, history, recorded
from tests.console.recorded_run import RUN
from tui.dialogs.confirm import ConfirmScreen


@pytest.mark.parametrize(
    ("recording", "resumes", "says", "resume"),
    [
        ("failed", True, "from its checkpoint at step 250?", "--resume checkpoints/step-250"),
        ("stopped early", True, "It has no checkpoint and starts from step 1.", "--resume none"),
        ("succeeded", True, "finished. Train again from step 1", "--resume none"),
        ("failed", False, "The program decides where to resume.", ""),
    ],
)
async def test_a_restart_says_and_takes_the_runs_own_checkpoint(
    recording: str, resumes: bool, says: str, resume: str
):
    operations = Recorded(cards(), runs=history()[:1])
    operations.resumes = resumes
    if recording != "failed":
        plan = next(event for event in recorded("monitor_busy") if isinstance(event, RunPlanned))
        outcome = "succeeded" if recording == "succeeded" else "stopped"
        events = [plan, RunFinished(run=RUN, outcome=outcome, at=plan.at + 1)]
        operations.recorded = lambda run: events  # type: ignore[method-assign]
    app = console(mode="runs", operations=operations)
    async with app.run_test(size=(120, 40)) as pilot:
        await settled(pilot)
        await pilot.press("R")
        await until(pilot, lambda: isinstance(app.screen, ConfirmScreen) and app.screen.query("#question"))
        assert says in str(app.screen.query_one("#question", Label).content)
        await pilot.press("y")
        nodes = dict.fromkeys(rank.node for rank in app.mode_screen._run_read().ranks.values())
        await until(pilot, lambda: ("launch", *nodes, *filter(None, [resume])) in app.operations.asked)


async def test_a_run_that_goes_on_or_whose_nodes_are_gone_is_not_started_again():
    for known, says in ((cards(), "that run is still running"), (cards()[:2], "gpu2, 연구실-3")):
        operations = Recorded(known, runs=history()[:1])
        if known == cards():
            operations.recorded = lambda run: recorded("monitor_busy")  # type: ignore[method-assign]
        app = console(mode="runs", operations=operations)
        async with app.run_test(size=(120, 40), notifications=True) as pilot:
            await settled(pilot)
            await pilot.press("R")
            await until(pilot, lambda app=app, says=says: says in text_of(app))
            assert not isinstance(app.screen, ConfirmScreen)
