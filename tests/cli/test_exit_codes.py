"""What the exit status says about nodes that were lost."""

from __future__ import annotations

import pytest

from fleet.events import Event, LinkChanged, Notice, RunFinished
from tui.cli.session import Tally


def link(state: str, node: str = "gpu1") -> Event:
    return LinkChanged(node=node, at=0.0, state=state, detail="why")


@pytest.mark.parametrize(
    ("events", "status"),
    [
        ([link("connecting"), link("up")], 0),
        ([link("failed")], 1),
        ([link("up"), link("lost")], 1),
        ([link("lost"), link("up")], 0),
        ([link("lost"), link("up", "gpu2")], 1),
        ([link("up"), link("lost"), link("connecting")], 1),
        ([Notice(node="gpu1", at=0.0, level="error", text="not stopped: no answer")], 1),
        ([Notice(node="gpu1", at=0.0, level="warning", text="slow")], 0),
        ([link("lost"), link("up"), RunFinished(run="r", outcome="failed")], 1),
        ([link("up"), RunFinished(run="r", outcome="succeeded")], 0),
        ([RunFinished(run="r", outcome="failed"), RunFinished(run="r-r1", outcome="succeeded")], 0),
        ([RunFinished(run="r", outcome="failed"), RunFinished(run="r-r1", outcome="failed")], 1),
        ([RunFinished(run="r", outcome="failed"), RunFinished(run="r-r1", outcome="stopped")], 1),
    ],
)
def test_a_node_that_is_lost_at_the_end_counts(events: list[Event], status: int) -> None:
    tally = Tally()
    for event in events:
        tally.count(event)
    assert tally.status == status
