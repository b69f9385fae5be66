"""The two faces of preflight's matrix: nodes against checks, and nodes against the nodes that they reach."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from fleet.state import FleetState, NodeState
from tui.acting import Acting
from tui.views import preflight as view
from tui.views import ways
from tui.views.ways_board import WaysBoard
from tui.widgets.lines import Lines
from tui.widgets.matrix import Matrix
from tui.widgets.paint import Spans

#: Nodes, and the checks to run on them; no checks are all.
Look = tuple[Sequence[str], Sequence[str]]


class Face(Protocol):
    """What the matrix shows, and what its keys mean there."""

    def draw(self, state: FleetState, summary: Lines, matrix: Matrix, room: int) -> list[Spans]:
        """Fill summary and matrix; return the details of what is under the cursor."""

    def all(self) -> Look:
        """Return what to run for the marked nodes, or all."""

    def cell(self, matrix: Matrix) -> Look:
        """Return what to run again for what is under the cursor."""

    def row(self, matrix: Matrix) -> Look:
        """Return what to run again for the cursor's node."""

    def column(self, matrix: Matrix) -> Look:
        """Return what to run again for the cursor's check, or the node that is gone to."""

    def troubles(self, matrix: Matrix) -> Mapping[str, Sequence[str]]:
        """Return the checks, by node, that dtui may mend of what is under the cursor."""

    def advice(self, matrix: Matrix) -> str:
        """Return what a person has to do where dtui can't mend, empty where there is nothing to do."""


class ChecksFace:
    """Nodes against checks, the longer of the two downwards."""

    def __init__(self, console: Acting) -> None:
        self._console = console

    def draw(self, state: FleetState, summary: Lines, matrix: Matrix, room: int) -> list[Spans]:
        """Show how each check went on each node."""
        cards, texts = self._console.cards, self._console.texts
        matrix.show(view.rows(cards, state, texts), view.columns(cards, state, texts))
        summary.show(view.summary(state, texts))
        name, check = self._under(matrix)
        return view.details(name, check, state.nodes.get(name), texts, room) if state.checks else []

    def all(self) -> Look:
        """Return all checks."""
        return self._console.targets(), ()

    def cell(self, matrix: Matrix) -> Look:
        """Return the check under the cursor, on its node."""
        node, check = self._under(matrix)
        return [node], [check] if check else []

    def row(self, matrix: Matrix) -> Look:
        """Return all checks of the cursor's node."""
        return [self._under(matrix)[0]], ()

    def column(self, matrix: Matrix) -> Look:
        """Return the cursor's check on all nodes."""
        return self._console.targets(), [self._under(matrix)[1]]

    def troubles(self, matrix: Matrix) -> Mapping[str, Sequence[str]]:
        """Return the check under the cursor, if it can be mended."""
        name, check = self._under(matrix)
        node = self._node(name)
        return {name: [check]} if node is not None and view.mendable(check, node) else {}

    def advice(self, matrix: Matrix) -> str:
        """Return the remedy of the check under the cursor."""
        name, check = self._under(matrix)
        node = self._node(name)
        found = node.checks.get(check) if node is not None else None
        return found.remedy if found is not None else ""

    def _node(self, name: str) -> NodeState | None:
        return self._console.engine.state.nodes.get(name)

    def _under(self, matrix: Matrix) -> tuple[str, str]:
        """Node and check under the cursor."""
        turned = view.turned(self._console.cards, self._console.engine.state)
        return (matrix.column, matrix.cursor) if turned else (matrix.cursor, matrix.column)


class WaysFace:
    """Nodes against nodes: who reaches whom."""

    def __init__(self, console: Acting) -> None:
        self._console = console
        self._board = WaysBoard()

    def draw(self, state: FleetState, summary: Lines, matrix: Matrix, room: int) -> list[Spans]:
        """Show every way between two nodes."""
        cards, texts = self._console.cards, self._console.texts
        matrix.show(ways.rows(cards, state, texts), ways.columns(cards))
        self._board.look([card.name for card in cards], state)
        summary.show(ways.summary(self._board, state, texts, summary.room))
        found = ways.details(matrix.cursor, matrix.column, state, texts, room)
        return found + ways.closed_ways(self._board, texts, room)

    def all(self) -> Look:
        """Return every way, tried and measured."""
        return self._console.targets(), ways.CHECKS

    def cell(self, matrix: Matrix) -> Look:
        """Return the way under the cursor."""
        return list(dict.fromkeys((matrix.cursor, matrix.column))), ways.CHECKS

    def row(self, matrix: Matrix) -> Look:
        """Return all ways from and to the cursor's node."""
        return [matrix.cursor], ways.CHECKS

    def column(self, matrix: Matrix) -> Look:
        """Return all ways to the node that is gone to."""
        return [matrix.column], ways.CHECKS

    def troubles(self, matrix: Matrix) -> Mapping[str, Sequence[str]]:
        """Return the closed ports of the way under the cursor, by the node that is gone to."""
        return {matrix.column: ways.closed(matrix.cursor, matrix.column, self._console.engine.state)}

    def advice(self, matrix: Matrix) -> str:
        """Return nothing: each closed port can be opened."""
        return ""
