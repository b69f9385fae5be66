"""Results of a preflight as tables for a terminal."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from agent.wire.message import Message, message
from fleet.events import CheckFinished, Event, NodeProbed, PairProbed
from fleet.facts import NodeFacts
from tui.cli.columns import aligned, headings
from tui.cli.narrate import GLYPHS
from tui.i18n import Texts

_CHECK = message("preflight-table.check", "check")
#: The corner of the matrix: rows are sources, columns are targets.
_CORNER = message("preflight-table.from-to", "from \\ to")


class Results:
    """Collects the newest result of each check and node, the pairs' connectivity, and the nodes' facts."""

    def __init__(self, nodes: Sequence[str]) -> None:
        self.cells: dict[tuple[str, str], CheckFinished] = {}
        self.facts: dict[str, NodeFacts] = {}
        self._nodes = list(nodes)
        self._pairs: dict[tuple[str, str], PairProbed] = {}

    def add(self, event: Event) -> None:
        """Take one event into account."""
        if isinstance(event, CheckFinished):
            self.cells[event.node, event.check] = event
        elif isinstance(event, NodeProbed):
            self.facts[event.node] = event.facts
        elif isinstance(event, PairProbed) and event.ports:
            self._pairs[event.node, event.peer] = event

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
        """Return the checks that warned or failed on some node, by nodes, and the counts."""
        checks = [
            check
            for check in order
            if any(self._status(node, check) in ("warn", "fail") for node in self._nodes)
        ]
        rows = [
            [*headings(texts, _CHECK), *self._nodes],
            *([check, *(self._cell(node, check, texts) for node in self._nodes)] for check in checks),
        ]
        table = "\n".join(aligned(rows)) + "\n\n" if checks else ""
        return table + texts.capitalized(self._verdict())

    def matrix(self, texts: Texts) -> str:
        """Return which nodes (rows) reach which (columns): ``ok``, or the ports that are blocked."""
        rows = [[*headings(texts, _CORNER), *self._nodes]]
        for source in self._nodes:
            rows.append([source, *(self._pair(source, target, texts) for target in self._nodes)])
        return "\n".join(aligned(rows))

    def _verdict(self) -> Message:
        count: Counter[str] = Counter(cell.status for cell in self.cells.values())
        texts = {
            "fail": message("preflight-table.failed", "{count} failed", count=count["fail"]),
            "warn": message("preflight-table.warnings", "{count:n warning}", count=count["warn"]),
            "ok": message("preflight-table.passed", "{count} passed", count=count["ok"]),
            "skip": message("preflight-table.skipped", "{count} skipped", count=count["skip"]),
        }
        counts = [text for status, text in texts.items() if count[status]]
        if count["fail"]:
            return message("preflight-table.not-ready", "not ready: {counts}", counts=counts)
        return message("preflight-table.ready", "ready to run: {counts}", counts=counts)

    def _status(self, node: str, check: str) -> str:
        cell = self.cells.get((node, check))
        return cell.status if cell else ""

    def _cell(self, node: str, check: str, texts: Texts) -> str:
        status = self._status(node, check)
        return f"{GLYPHS[status]} {texts.word('check', status)}" if status else ""

    def _pair(self, source: str, target: str, texts: Texts) -> str:
        if source == target:
            return "."
        pair = self._pairs.get((source, target))
        if pair is None:
            return "?"
        closed = [port for port, outcome in pair.ports.items() if outcome != "open"]
        if not closed:
            return texts.word("check", "ok")
        if len(closed) == len(pair.ports):
            return texts.translate(message("preflight-table.unreachable", "unreachable"))
        return texts.translate(message("preflight-table.blocked", "blocked: {ports:,}", ports=closed))
