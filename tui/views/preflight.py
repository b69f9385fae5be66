"""The results of the preflight: a matrix, a summary, one cell in full, a report."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from rich.cells import cell_len

from fleet.state import FleetState, NodeState
from tui.i18n import Texts
from tui.operations.interface import NodeCard
from tui.rendering.cells import Cells
from tui.rendering.rows import HEAD, Column, Row
from tui.rendering.spans import Span, Spans, wrap
from tui.rendering.status import MARKS, glyph, mark

_WIDEST = 16


def turned(cards: Sequence[NodeCard], state: FleetState) -> bool:
    """Return whether checks are the rows and nodes the columns: the longer list is vertical."""
    return len(state.checks) > len(cards)


def columns(cards: Sequence[NodeCard], state: FleetState, texts: Texts) -> list[Column]:
    """Return a column per check in the order of their results, or per node."""
    words = max(cell_len(texts(f"check.{status}")) for status in MARKS["check"] if status != "none") + 2
    names = [card.name for card in cards] if turned(cards, state) else state.checks
    return [Column(name, name, max(words, min(cell_len(name), _WIDEST))) for name in names]


def rows(cards: Sequence[NodeCard], state: FleetState, texts: Texts) -> list[Row]:
    """Return a row for each node, or for each check."""
    names, checks = [card.name for card in cards], state.checks
    across = turned(cards, state)

    def row(key: str) -> Row:
        def draw(column: str) -> Spans:
            if column == HEAD:
                return [(key, "strong")]
            return _cell(state, *((column, key) if across else (key, column)), texts)

        return Row(key, Cells(names if across else checks, draw, state.nodes, texts))

    return [row(key) for key in (checks if across else names)]


def _cell(state: FleetState, name: str, check: str, texts: Texts) -> Spans:
    node = state.nodes.get(name)
    found = node.checks.get(check) if node else None
    return [mark("check", found.status, texts) if found else glyph("check", "none")]


def summary(state: FleetState, texts: Texts) -> list[Spans]:
    """Return how many results there are of each kind."""
    counts = Counter(check.status for node in state.nodes.values() for check in node.checks.values())
    if not counts:
        return [[(texts("preflight.idle"), "muted")]]
    line: list[Span] = []
    for status in ("ok", "warn", "fail", "skip"):
        if counts[status]:
            sign, style = mark("check", status, texts)
            line.append((f"{sign} {counts[status]}   ", style))
    checked = all(set(node.checks) >= set(state.checks) for node in state.nodes.values())
    if not counts["fail"] and checked:
        line.append((texts("preflight.ready"), "ok"))
    return [line]


def details(name: str, check: str, node: NodeState | None, texts: Texts, width: int) -> list[Spans]:
    """Return one result: what was seen, why it matters, what to do."""
    found = node.checks.get(check) if node is not None else None
    if node is None or found is None:
        return [[(f"{name}  {check}  ", "title"), (texts("preflight.not_run"), "muted")]]
    lines: list[Spans] = [[(f"{name}  {check}  ", "title"), mark("check", found.status, texts)]]
    for key, text in (("seen", found.seen), ("why", found.why), ("remedy", found.remedy)):
        if text:
            lines += [[], [(texts(f"preflight.{key}"), "head")]]
            lines += [[(line, "text")] for line in wrap(texts.translate(text), width)]
    if is_fixable(check, node):
        lines += [[], [(texts("preflight.fixable"), "accent")]]
    return lines


def is_fixable(check: str, node: NodeState) -> bool:
    """Return whether dtui may have a fix for this result on the node's system."""
    found = node.checks.get(check)
    if found is None or found.status not in ("warn", "fail"):
        return False
    from fleet.facts import system_of
    from fleet.preflight.fixes import fixable  # nothing before the first trouble needs it

    return fixable(check, system_of(node.facts))


def troubles(state: FleetState, nodes: Sequence[str]) -> dict[str, list[str]]:
    """Return the checks of each of the nodes that warned or failed, and that dtui may fix."""
    found = {
        name: [check for check in state.nodes[name].checks if is_fixable(check, state.nodes[name])]
        for name in nodes
        if name in state.nodes
    }
    return {name: checks for name, checks in found.items() if checks}


def failures(state: FleetState) -> dict[str, list[str]]:
    """Return the failed checks of each node that has any."""
    found = {
        name: [check for check, result in node.checks.items() if result.status == "fail"]
        for name, node in state.nodes.items()
    }
    return {name: checks for name, checks in found.items() if checks}


def markdown(state: FleetState, texts: Texts) -> str:
    """Return all results as a Markdown table, failures and warnings explained below it."""
    head = [texts("preflight.column.node"), *state.checks]
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    notes = []
    for name, node in state.nodes.items():
        cells = [name]
        for check in state.checks:
            found = node.checks.get(check)
            cells.append(mark("check", found.status if found else "none", texts)[0])
            if found is not None and found.status in ("warn", "fail"):
                parts = [texts.translate(text) for text in (found.seen, found.why, found.remedy) if text]
                notes.append(f"- **{name}, {check}**: {'. '.join(parts)}")
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join([*lines, "", *notes]) + "\n"
