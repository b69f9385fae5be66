"""Results of a preflight as tables for a terminal."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from rich.cells import cell_len as width

from fleet.events import CheckFinished, Event, NodeProbed, PairProbed
from tui.cli.narrate import GLYPHS
from tui.i18n import Texts

_SUMS = {"ok": "{} passed", "warn": "{} warnings", "fail": "{} failures", "skip": "{} skipped"}


class Results:
    """Collects the newest result of each check and node, the ways between nodes, and the nodes' facts."""

    def __init__(self, nodes: Sequence[str]) -> None:
        self.cells: dict[tuple[str, str], CheckFinished] = {}
        self.facts: dict[str, dict[str, object]] = {}
        self._nodes = list(nodes)
        self._ways: dict[tuple[str, str], PairProbed] = {}

    def take(self, event: Event) -> None:
        """Take one event into account."""
        if isinstance(event, CheckFinished):
            self.cells[event.node, event.check] = event
        elif isinstance(event, NodeProbed):
            self.facts[event.node] = event.facts
        elif isinstance(event, PairProbed) and event.ports:
            self._ways[event.node, event.peer] = event

    @property
    def failures(self) -> list[CheckFinished]:
        """Results that keep a run from starting."""
        return [cell for cell in self.cells.values() if cell.status == "fail"]

    @property
    def troubles(self) -> dict[str, list[str]]:
        """Names of the checks of each node that warned or failed."""
        found: dict[str, list[str]] = {}
        for (node, check), cell in self.cells.items():
            if cell.status in ("warn", "fail"):
                found.setdefault(node, []).append(check)
        return found

    def table(self, order: Sequence[str], texts: Texts) -> str:
        """Return checks by nodes, only those of which some result is not simply good, and the sums."""
        checks = [
            check
            for check in order
            if any(self._status(node, check) in ("warn", "fail") for node in self._nodes)
        ]
        rows = [
            ["CHECK", *self._nodes],
            *([check, *(self._cell(node, check) for node in self._nodes)] for check in checks),
        ]
        counted = Counter(cell.status for cell in self.cells.values())
        sums = [texts.said(told.format(counted[status])) for status, told in _SUMS.items() if counted[status]]
        verdict = texts.said("a run would not start" if counted["fail"] else "a run can start")
        return (_aligned(rows) + "\n\n" if checks else "") + f"{verdict}: {', '.join(sums)}"

    def matrix(self) -> str:
        """Return who (rows) reaches whom (columns): ``ok``, or the ports that are closed."""
        rows = [["FROM \\ TO", *self._nodes]]
        for source in self._nodes:
            rows.append([source, *(self._way(source, target) for target in self._nodes)])
        return _aligned(rows)

    def _status(self, node: str, check: str) -> str:
        cell = self.cells.get((node, check))
        return cell.status if cell else ""

    def _cell(self, node: str, check: str) -> str:
        status = self._status(node, check)
        return f"{GLYPHS[status]} {status}" if status else ""

    def _way(self, source: str, target: str) -> str:
        if source == target:
            return "."
        way = self._ways.get((source, target))
        if way is None:
            return "?"
        closed = [port for port, outcome in way.ports.items() if outcome != "open"]
        if not closed:
            return "ok"
        return "nothing" if len(closed) == len(way.ports) else "not " + ",".join(closed)


def _aligned(rows: list[list[str]]) -> str:
    widths = [max(width(row[column]) for row in rows) for column in range(len(rows[0]))]
    return "\n".join(
        "  ".join(
            cell + " " * (space - width(cell)) for cell, space in zip(row, widths, strict=True)
        ).rstrip()
        for row in rows
    )
