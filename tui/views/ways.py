"""Who reaches whom: every way between two nodes as a cell, a row for where it starts."""

from __future__ import annotations

from collections.abc import Sequence

from rich.cells import cell_len

from fleet.state import FleetState, Way
from tui import units
from tui.i18n import Texts
from tui.operations import NodeCard
from tui.status import mark
from tui.views.ways_board import MOST, WaysBoard, out_of_reach
from tui.widgets.cells import Cells
from tui.widgets.matrix import HEAD
from tui.widgets.paint import Span, Spans, wrap
from tui.widgets.table import Column, Row

#: Checks that look at the ways, and measure them.
CHECKS = ("ports", "network")
_WIDTH = 14
_OPEN = "open"


def columns(cards: Sequence[NodeCard]) -> list[Column]:
    """Return a column for each node that is gone to."""
    return [Column(card.name, f"→ {card.name}", _WIDTH) for card in cards]


def rows(cards: Sequence[NodeCard], state: FleetState, texts: Texts) -> list[Row]:
    """Return a row for each node that is started from."""
    names = [card.name for card in cards]

    def row(source: str) -> Row:
        def draw(target: str) -> Spans:
            return [_cell(source, target, state, texts) if target != HEAD else (source, "strong")]

        return Row(source, Cells(names, draw, state.nodes, texts))

    return [row(name) for name in names]


def status(source: str, target: str, state: FleetState) -> str:
    """Return ``ok``, ``fail`` or ``warn`` for a way, ``none`` when it has not been tried.

    It is ``lost`` when one of its ends can't be reached now, however it was before.
    A closed port weighs as much as its check on the node that is gone to says: most runs need few of them.
    """
    if out_of_reach(source, state) or out_of_reach(target, state):
        return "lost"
    if not _way(source, target, state).ports:
        return "none"
    ports = closed(source, target, state)
    if not ports:
        return "ok"
    checks = state.nodes[target].checks if target in state.nodes else {}
    return "fail" if any(port in checks and checks[port].status == "fail" for port in ports) else "warn"


def closed(source: str, target: str, state: FleetState) -> list[str]:
    """Return the ports at which ``target`` could not be reached; each is the name of a check."""
    return [port for port, outcome in _way(source, target, state).ports.items() if outcome != _OPEN]


def summary(board: WaysBoard, state: FleetState, texts: Texts, width: int) -> list[Spans]:
    """Return how many ways there are of each kind, and the slowest that was measured where there is room."""
    counts = board.counts(state)
    if counts["none"] == counts.total():
        return [[(texts("ways.idle"), "muted")]]
    line: list[Span] = [
        (f"{mark('way', kind, texts)[0]} {counts[kind]}   ", mark("way", kind, texts)[1])
        for kind in ("ok", "warn", "fail", "lost", "none")
        if counts[kind]
    ]
    if board.slowest is not None:
        rate, receiver, sender = board.slowest
        slowest = texts("ways.slowest", source=sender, target=receiver, rate=units.bits(rate))
        if sum(cell_len(text) for text, _ in line) + cell_len(slowest) <= width:
            line.append((slowest, "muted"))
    return [line]


def details(source: str, target: str, state: FleetState, texts: Texts, width: int) -> list[Spans]:
    """Return one way in full: each port, the round trip and the rate, and what is closed as a sentence."""
    title: Span = (f"{source} → {target}  ", "title")
    if source == target:
        return [[title, (texts("ways.same"), "muted")]]
    way = _way(source, target, state)
    lines: list[Spans] = [[title, mark("way", status(source, target, state), texts)]]
    for name in (source, target):
        if out_of_reach(name, state):
            told = texts("ways.lost", node=name, why=texts.said(state.nodes[name].link.detail))
            lines += [[(line, "warn")] for line in wrap(told, width)]
    lines += [
        [(line, "text")] for told in _sentences(source, target, way) for line in wrap(texts.said(told), width)
    ]
    if shut := closed(source, target, state):
        checks = state.nodes[target].checks if target in state.nodes else {}
        remedy = next((checks[port].remedy for port in shut if port in checks and checks[port].remedy), "")
        lines += [[], [(texts("preflight.remedy"), "head")]] if remedy else []
        lines += [[(line, "text")] for line in wrap(texts.said(remedy), width)]
        if not out_of_reach(target, state):
            lines += [[], [(texts("preflight.fixable"), "accent")]]
    if way.ports:
        lines += [[], [(texts("ways.ports"), "head")], *_ports(way, texts, width)]
    rate = _way(target, source, state).bytes_per_second
    if way.latency_ms is not None or rate:
        told = texts("ways.measured", ms=units.number(way.latency_ms, 2), rate=units.bits(rate))
        lines += [[], [(texts("ways.link"), "head")], [(told, "text")]]
    return lines


def closed_ways(board: WaysBoard, texts: Texts, width: int) -> list[Spans]:
    """Return a sentence for each way that is closed, alike ones together."""
    told = board.sentences()
    lines: list[Spans] = [[], [(texts("ways.closed"), "head")]] if told else []
    for sentence in told[:MOST]:
        first, *rest = wrap(texts.said(sentence), width - 2)
        lines += [[("✗ ", "fail"), (first, "text")], *([("  ", "text"), (part, "text")] for part in rest)]
    if len(told) > MOST:
        lines.append([(texts("confirm.more", count=len(told) - MOST), "muted")])
    return lines


def markdown(cards: Sequence[NodeCard], state: FleetState, texts: Texts) -> str:
    """Return all ways as a Markdown table, and what is closed as sentences; empty when none was tried."""
    names = [card.name for card in cards]
    board = WaysBoard()
    board.look(names, state)
    if not any(state.nodes[name].ways for name in names if name in state.nodes):
        return ""
    head = ["", *(f"→ {name}" for name in names)]
    lines = ["", f"## {texts('ways.title')}", "", "| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    for source in names:
        cells = (_cell(source, target, state, texts)[0] for target in names)
        lines.append("| " + " | ".join((source, *cells)) + " |")
    return "\n".join([*lines, "", *(f"- {texts.said(told)}" for told in board.sentences())]) + "\n"


def _ports(way: Way, texts: Texts, width: int) -> list[Spans]:
    words = [
        (port, texts.word("port", outcome), "ok" if outcome == _OPEN else "fail")
        for port, outcome in way.ports.items()
    ]
    room = max(cell_len(f"{port} {word}") for port, word, _ in words) + 3
    cells: list[Spans] = [
        [(f"{port} ", "text"), (word + " " * (room - cell_len(f"{port} {word}")), style)]
        for port, word, style in words
    ]
    in_line = max(1, width // room)
    return [
        [span for cell in cells[start : start + in_line] for span in cell]
        for start in range(0, len(cells), in_line)
    ]


def _cell(source: str, target: str, state: FleetState, texts: Texts) -> Span:
    if source == target:
        return "·", "faint"
    kind = status(source, target, state)
    ports = closed(source, target, state) if kind != "lost" else ()
    sign, style = mark("way", kind, texts)
    glyph = sign.split()[0]
    if ports and len(ports) < len(_way(source, target, state).ports):
        # Which ones says more than the word; there is room for one.
        return f"{glyph} {ports[0]}" + (f" +{len(ports) - 1}" if len(ports) > 1 else ""), style
    rate = _way(target, source, state).bytes_per_second
    return (f"{glyph} {units.bits(rate)}", style) if kind == "ok" and rate else (sign, style)


def _sentences(source: str, target: str, way: Way) -> list[str]:
    if all(outcome == _OPEN for outcome in way.ports.values()):
        return []
    from fleet.preflight.pairs import broken_way, sentences  # nothing before the first preflight needs it

    return sentences(broken_way(source, target, way.ports))


def _way(source: str, target: str, state: FleetState) -> Way:
    node = state.nodes.get(source)
    return node.ways.get(target, Way()) if node else Way()
