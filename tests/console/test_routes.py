"""The routes between nodes on the screen: their summary, and its speed with many nodes."""

from __future__ import annotations

from pathlib import Path

import pytest

from fleet.events import CheckFinished, Event, LinkChanged, NodeProbed, PairProbed
from fleet.state import FleetState
from tests.console.driving import settled, text_of, until
from tests.console.fakes import Recorded, console
from tests.support import wire
from tui.i18n import Texts
from tui.operations.interface import NodeCard
from tui.rendering.rows import Row
from tui.views.routes import details, status
from tui.views.routes_board import MOST, RoutesBoard

PORTS = ("29500", "29501", "ephemeral")
CHECKS = tuple(f"check-{number}" for number in range(12))
OPEN, DROPPED = dict.fromkeys(PORTS, "open"), dict.fromkeys(PORTS, "dropped")


def seen(*events: Event, names: str = "abc") -> tuple[RoutesBoard, FleetState]:
    board, state = RoutesBoard(), FleetState.of(names).after_all(events)
    board.update(tuple(names), state)
    return board, state


def text_in(lines) -> str:
    return "\n".join("".join(text for text, _ in line) for line in lines)


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


def test_nodes_that_fail_alike_share_a_sentence_until_the_route_is_open():
    board, state = seen(*(PairProbed(node=one, peer="c", ports=DROPPED) for one in "ab"))
    assert [told.split(":")[0] for told in board.sentences()] == ["a,b cannot connect to c on any port"]
    board.update(tuple("abc"), state.after(PairProbed(node="a", peer="c", ports=OPEN)))
    assert [told.split(":")[0] for told in board.sentences()] == ["b cannot connect to c on any port"]
    board.update(tuple("abc"), state.after_all(PairProbed(node=one, peer="c", ports=OPEN) for one in "ab"))
    assert board.sentences() == []


def test_routes_from_and_to_a_lost_node_are_lost():
    board, state = seen(
        *(PairProbed(node=one, peer=two, ports=OPEN) for one, two in ("ab", "ba", "ac", "ca", "da")),
        PairProbed(node="b", peer="c", ports=DROPPED),
        PairProbed(node="c", peer="a", bytes_per_second=1.0),
        PairProbed(node="d", peer="a", bytes_per_second=2.0),
        LinkChanged(node="c", state="lost", detail="no answer for 30 s"),
        names="abcd",
    )
    cells = [status(one, two, state) for one in "abcd" for two in "abcd" if one != two]
    counts = board.counts(state)
    assert {kind: counts[kind] for kind in ("ok", "warn", "fail", "lost", "none")} == {
        kind: cells.count(kind) for kind in ("ok", "warn", "fail", "lost", "none")
    }
    assert (counts["ok"], counts["lost"], counts["none"]) == (3, 6, 3)
    assert board.sentences() == []
    assert board.slowest == (2.0, "d", "a")
    told = text_in(details("a", "c", state, Texts("en"), 80))
    assert "c cannot be reached now (no answer for 30 s). The results below are from before." in told
    back = state.after(LinkChanged(node="c", state="up"))
    board.update(tuple("abcd"), back)
    assert board.counts(back)["lost"] == 0
    assert len(board.sentences()) == 1
    assert board.slowest == (1.0, "c", "a")


def test_the_slowest_route_is_one_of_the_shown_nodes():
    board, state = seen(
        PairProbed(node="a", peer="b", latency_ms=3.0, bytes_per_second=5.0),
        PairProbed(node="b", peer="c", latency_ms=2.0, bytes_per_second=4.0),
    )
    assert board.slowest == (4.0, "b", "c")
    board.update(("a", "b"), state)
    assert board.slowest == (5.0, "a", "b")


async def test_every_blocked_route_is_named_and_very_many_are_counted():
    names = [f"node{number:03}" for number in range(MOST + 6)]
    operations = Recorded([NodeCard(name, "") for name in names])
    app = console(operations=operations, mode="preflight")
    app.engine.absorb(PairProbed(node=names[0], peer=name, ports=DROPPED) for name in names[1:])
    async with app.run_test(size=(120, 200)) as pilot:
        await settled(pilot)
        await pilot.press("w", "l")
        await until(pilot, lambda: "Blocked routes" in text_of(app))
        assert "✗ node000 cannot connect to node003 on any port: no response" in text_of(app)
        assert f"✗ node000 cannot connect to {names[MOST]}" in text_of(app)
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


async def test_a_report_has_the_routes_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    app = console("preflight_error", "preflight")
    async with app.run_test(size=(120, 40)) as pilot:
        await settled(pilot)
        await pilot.press("o", "enter")
        await until(pilot, lambda: (tmp_path / "preflight.md").exists())
    report = (tmp_path / "preflight.md").read_text("utf-8")
    table = report[report.index("## Routes between nodes") :].splitlines()
    assert table[2] == "|  | → master | → gpu1 | → gpu2 | → 연구실-3 | → gpu4 |"
    assert table[4].startswith("| master | · | ✓ ")
    assert any(line.startswith("- ") and "연구실-3" in line for line in table)


@pytest.mark.parametrize(("system", "fixes"), [("Windows", True), ("Linux", False)])
async def test_a_fix_is_offered_where_there_is_one_for_the_nodes_system(system: str, fixes: bool):
    app = console(operations=Recorded([NodeCard("a", ""), NodeCard("b", "")]), mode="preflight")
    app.engine.absorb(
        [
            NodeProbed(node="a", facts=wire.facts(os={"system": system})),
            CheckFinished(node="a", check="clock", status="warn", seen="4 s behind", remedy="Set the clock."),
        ]
    )
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        await settled(pilot)
        assert ("Press m to fix this" in text_of(app)) is fixes
        await pilot.press("m")
        await until(pilot, lambda: fixes or "dtui cannot fix this" in text_of(app))
        await until(pilot, lambda: (("fix", ("a", "clock")) in app.operations.asked) is fixes)


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
