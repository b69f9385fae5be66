"""The ways between nodes on the screen: what is said of all of them, and how it stays quick with many."""

from __future__ import annotations

import pytest

from fleet.events import CheckFinished, Event, PairProbed
from fleet.state import FleetState
from tests.console.driving import settled, text_of, until
from tests.console.fakes import Recorded, console
from tui.operations import NodeCard
from tui.views.ways import status
from tui.views.ways_board import MOST, WaysBoard
from tui.widgets.table import Row

PORTS = ("29500", "29501", "ephemeral")
CHECKS = tuple(f"check-{number}" for number in range(12))
OPEN, DROPPED = dict.fromkeys(PORTS, "open"), dict.fromkeys(PORTS, "dropped")


def seen(*events: Event, names: str = "abc") -> tuple[WaysBoard, FleetState]:
    board, state = WaysBoard(), FleetState.of(names).after_all(events)
    board.look(tuple(names), state)
    return board, state


def test_counts_are_those_of_the_cells():
    board, state = seen(
        PairProbed(node="a", peer="b", ports=OPEN),
        PairProbed(node="b", peer="c", ports=DROPPED),
        PairProbed(node="a", peer="c", ports={**OPEN, "29501": "refused"}),
        PairProbed(node="c", peer="gone", ports=DROPPED),
        CheckFinished(node="c", check="29500", status="fail", seen=""),
        CheckFinished(node="c", check="29501", status="warn", seen=""),
    )
    cells = [status(source, target, state) for source in "abc" for target in "abc" if source != target]
    counts = board.counts(state)
    assert {kind: counts[kind] for kind in ("ok", "warn", "fail", "none")} == {
        kind: cells.count(kind) for kind in ("ok", "warn", "fail", "none")
    }
    assert (counts["ok"], counts["warn"], counts["fail"], counts["none"]) == (1, 1, 1, 3)


def test_what_is_closed_is_a_sentence_for_all_that_fail_alike_until_it_is_open():
    board, state = seen(*(PairProbed(node=one, peer="c", ports=DROPPED) for one in "ab"))
    assert [told.split(":")[0] for told in board.sentences()] == ["a,b can't reach c on any port"]
    board.look(tuple("abc"), state.after(PairProbed(node="a", peer="c", ports=OPEN)))
    assert [told.split(":")[0] for told in board.sentences()] == ["b can't reach c on any port"]
    board.look(tuple("abc"), state.after_all(PairProbed(node=one, peer="c", ports=OPEN) for one in "ab"))
    assert board.sentences() == []


def test_the_slowest_way_is_among_the_nodes_that_there_are():
    board, state = seen(
        PairProbed(node="a", peer="b", latency_ms=3.0, bytes_per_second=5.0),
        PairProbed(node="b", peer="c", latency_ms=2.0, bytes_per_second=4.0),
    )
    assert board.slowest == (4.0, "b", "c")
    board.look(("a", "b"), state)
    assert board.slowest == (5.0, "a", "b")


async def test_every_closed_way_is_named_and_very_many_are_counted():
    names = [f"node{number:03}" for number in range(MOST + 6)]
    operations = Recorded([NodeCard(name, "") for name in names])
    app = console(operations=operations, mode="preflight")
    app.engine.absorb(PairProbed(node=names[0], peer=name, ports=DROPPED) for name in names[1:])
    async with app.run_test(size=(120, 200)) as pilot:
        await settled(pilot)
        await pilot.press("w", "l")
        await until(pilot, lambda: "Closed ways" in text_of(app))
        assert "✗ node000 can't reach node003 on any port: no answer" in text_of(app)
        assert f"✗ node000 can't reach {names[MOST]}" in text_of(app)
        assert "and 5 more" in text_of(app)


@pytest.mark.parametrize("view", ["", "w"])
async def test_of_256_nodes_only_the_cells_in_view_are_made(view: str):
    names = [f"node{number:03}" for number in range(255)] + ["node"]
    events: list[Event] = [
        CheckFinished(node=name, check=check, status="ok", seen="") for name in names for check in CHECKS
    ]
    events += [PairProbed(node=names[1], peer=name, ports=OPEN) for name in names]
    app = console(operations=Recorded([NodeCard(name, "") for name in names]), mode="preflight")
    app.engine.absorb(events)
    async with app.run_test(size=(120, 40)) as pilot:
        await settled(pilot)
        await pilot.press(*view, "G")
        await until(pilot, lambda: "node254" in text_of(app) and "node  " in text_of(app))
        await pilot.press("g", *"lllllllllll")
        await until(pilot, lambda: "node000  " in text_of(app) and "‹" in text_of(app))
        matrix = app.mode_screen.query_one("#matrix")
        made: list[str] = []
        row = matrix.rows[3]
        matrix.rows = [*matrix.rows[:3], Row(row.key, Watched(row.cells, made)), *matrix.rows[4:]]
        matrix.refresh()
        await until(pilot, lambda: made)
        assert len(set(made)) < 15


class Watched(dict[str, object]):
    """Cells that write down which of them are asked for."""

    def __init__(self, cells, made: list[str]) -> None:
        super().__init__()
        self._cells, self._made = cells, made

    def __contains__(self, key: object) -> bool:
        return key in self._cells

    def __getitem__(self, key: str):
        self._made.append(key)
        return self._cells[key]

    def get(self, key: str, default=None):
        return self[key] if key in self._cells else default
