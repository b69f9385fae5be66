"""What the preflight matrix shows: nodes against checks, or nodes against the nodes that they reach."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from fleet.state import FleetState, NodeState
from tui.rendering.spans import Spans
from tui.state.session import Session
from tui.views import preflight as view
from tui.views import routes
from tui.views.routes_board import RoutesBoard
from tui.widgets.lines import Lines
from tui.widgets.matrix import Matrix

#: Nodes, and the checks to run on them; no checks are all.
Selection = tuple[Sequence[str], Sequence[str]]


class MatrixContent(Protocol):
    """What the matrix shows, and what its keys mean there."""

    def draw(self, state: FleetState, summary: Lines, matrix: Matrix, room: int) -> list[Spans]:
        """Fill summary and matrix; return the details of what is under the cursor."""

    def all(self) -> Selection:
        """Return what to run for the marked nodes, or all."""

    def cell(self, matrix: Matrix) -> Selection:
        """Return what to run again for what is under the cursor."""

    def row(self, matrix: Matrix) -> Selection:
        """Return what to run again for the cursor's node."""

    def column(self, matrix: Matrix) -> Selection:
        """Return what to rerun for the cursor's check, or for the cursor's target node."""

    def troubles(self, matrix: Matrix) -> Mapping[str, Sequence[str]]:
        """Return the checks, by node, that dtui may fix, of what is under the cursor."""

    def advice(self, matrix: Matrix) -> str:
        """Return the user's remedy if dtui has no fix; empty if there is none."""


class ChecksMatrix:
    """Nodes against checks, the longer of the two downwards."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def draw(self, state: FleetState, summary: Lines, matrix: Matrix, room: int) -> list[Spans]:
        """Show the result of each check on each node."""
        cards, texts = self._session.cards, self._session.texts
        matrix.show(view.rows(cards, state, texts), view.columns(cards, state, texts))
        summary.show(view.summary(state, texts))
        name, check = self._under(matrix)
        return view.details(name, check, state.nodes.get(name), texts, room) if state.checks else []

    def all(self) -> Selection:
        """Return all checks."""
        return self._session.targets(), ()

    def cell(self, matrix: Matrix) -> Selection:
        """Return the check under the cursor, on its node."""
        node, check = self._under(matrix)
        return [node], [check] if check else []

    def row(self, matrix: Matrix) -> Selection:
        """Return all checks of the cursor's node."""
        return [self._under(matrix)[0]], ()

    def column(self, matrix: Matrix) -> Selection:
        """Return the cursor's check on all nodes."""
        return self._session.targets(), [self._under(matrix)[1]]

    def troubles(self, matrix: Matrix) -> Mapping[str, Sequence[str]]:
        """Return the check under the cursor, if it can be fixed."""
        name, check = self._under(matrix)
        node = self._node(name)
        return {name: [check]} if node is not None and view.is_fixable(check, node) else {}

    def advice(self, matrix: Matrix) -> str:
        """Return the remedy of the check under the cursor."""
        name, check = self._under(matrix)
        node = self._node(name)
        found = node.checks.get(check) if node is not None else None
        return found.remedy if found is not None else ""

    def _node(self, name: str) -> NodeState | None:
        return self._session.engine.state.nodes.get(name)

    def _under(self, matrix: Matrix) -> tuple[str, str]:
        """Node and check under the cursor."""
        turned = view.turned(self._session.cards, self._session.engine.state)
        return (matrix.column, matrix.cursor) if turned else (matrix.cursor, matrix.column)


class RoutesMatrix:
    """Routes: nodes against nodes."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._board = RoutesBoard()

    def draw(self, state: FleetState, summary: Lines, matrix: Matrix, room: int) -> list[Spans]:
        """Show every route between two nodes."""
        cards, texts = self._session.cards, self._session.texts
        matrix.show(routes.rows(cards, state, texts), routes.columns(cards))
        self._board.update([card.name for card in cards], state)
        summary.show(routes.summary(self._board, state, texts, summary.room))
        found = routes.details(matrix.cursor, matrix.column, state, texts, room)
        return found + routes.blocked_routes(self._board, texts, room)

    def all(self) -> Selection:
        """Return every route, tried and measured."""
        return self._session.targets(), routes.CHECKS

    def cell(self, matrix: Matrix) -> Selection:
        """Return the route under the cursor."""
        return list(dict.fromkeys((matrix.cursor, matrix.column))), routes.CHECKS

    def row(self, matrix: Matrix) -> Selection:
        """Return all routes from and to the cursor's node."""
        return [matrix.cursor], routes.CHECKS

    def column(self, matrix: Matrix) -> Selection:
        """Return all routes to the target node under the cursor."""
        return [matrix.column], routes.CHECKS

    def troubles(self, matrix: Matrix) -> Mapping[str, Sequence[str]]:
        """Return the blocked ports of the route under the cursor, by its target node."""
        return {matrix.column: routes.closed(matrix.cursor, matrix.column, self._session.engine.state)}

    def advice(self, matrix: Matrix) -> str:
        """Return nothing: each closed port can be opened."""
        return ""
