"""The matrix of routes between nodes: a row per source, a column per target."""

from __future__ import annotations

from collections.abc import Sequence

from rich.cells import cell_len

from agent.wire.message import Message
from fleet.state import FleetState, Route
from tui.i18n import Texts
from tui.operations.interface import NodeCard
from tui.rendering import units
from tui.rendering.cells import Cells
from tui.rendering.rows import HEAD, Column, Row
from tui.rendering.spans import Span, Spans, width_of, wrap
from tui.rendering.status import mark
from tui.views.routes_board import MOST, RoutesBoard, out_of_reach

#: Checks that test and measure the routes.
CHECKS = ("ports", "network")
_WIDTH = 14
_OPEN = "open"


def columns(cards: Sequence[NodeCard]) -> list[Column]:
    """Return a column per target."""
    return [Column(card.name, f"→ {card.name}", _WIDTH) for card in cards]


def rows(cards: Sequence[NodeCard], state: FleetState, texts: Texts) -> list[Row]:
    """Return a row per source."""
    names = [card.name for card in cards]

    def row(source: str) -> Row:
        def draw(target: str) -> Spans:
            return [_cell(source, target, state, texts) if target != HEAD else (source, "strong")]

        return Row(source, Cells(names, draw, state.nodes, texts))

    return [row(name) for name in names]


def status(source: str, target: str, state: FleetState) -> str:
    """Return ``ok``, ``fail`` or ``warn`` for a route, ``none`` if it has not been tested.

    It is ``lost`` if one of its ends cannot be reached now, whatever the last test found. A blocked port is a
    failure or a warning as its check on the target is: most runs need few ports.
    """
    if out_of_reach(source, state) or out_of_reach(target, state):
        return "lost"
    if not _route(source, target, state).ports:
        return "none"
    ports = closed(source, target, state)
    if not ports:
        return "ok"
    checks = state.nodes[target].checks if target in state.nodes else {}
    return "fail" if any(port in checks and checks[port].status == "fail" for port in ports) else "warn"


def closed(source: str, target: str, state: FleetState) -> list[str]:
    """Return the ports at which ``target`` could not be reached; each is the name of a check."""
    return [port for port, outcome in _route(source, target, state).ports.items() if outcome != _OPEN]


def summary(board: RoutesBoard, state: FleetState, texts: Texts, width: int) -> list[Spans]:
    """Return the number of routes by status, and the slowest measured one if it fits the width."""
    counts = board.counts(state)
    if counts["none"] == counts.total():
        return [[(texts("routes.idle"), "muted")]]
    line: list[Span] = []
    for kind in ("ok", "warn", "fail", "lost", "none"):
        if counts[kind]:
            sign, style = mark("route", kind, texts)
            line.append((f"{sign} {counts[kind]}   ", style))
    if board.slowest is not None:
        rate, receiver, sender = board.slowest
        slowest = texts("routes.slowest", source=sender, target=receiver, rate=units.bits(rate))
        if width_of(line) + cell_len(slowest) <= width:
            line.append((slowest, "muted"))
    return [line]


def details(source: str, target: str, state: FleetState, texts: Texts, width: int) -> list[Spans]:
    """Return one route in full: its ports, round trip and rate, and a sentence per blocked port."""
    title: Span = (f"{source} → {target}  ", "title")
    if source == target:
        return [[title, (texts("routes.same"), "muted")]]
    route = _route(source, target, state)
    lines: list[Spans] = [[title, mark("route", status(source, target, state), texts)]]
    for name in (source, target):
        if out_of_reach(name, state):
            text = texts("routes.lost", node=name, why=texts.translate(state.nodes[name].link.detail))
            lines += [[(line, "warn")] for line in wrap(text, width)]
    lines += [
        [(line, "text")]
        for sentence in _sentences(source, target, route)
        for line in wrap(texts.translate(sentence), width)
    ]
    if shut := closed(source, target, state):
        checks = state.nodes[target].checks if target in state.nodes else {}
        remedy = next((checks[port].remedy for port in shut if port in checks and checks[port].remedy), "")
        lines += [[], [(texts("preflight.remedy"), "head")]] if remedy else []
        lines += [[(line, "text")] for line in wrap(texts.translate(remedy), width)]
        if not out_of_reach(target, state):
            lines += [[], [(texts("preflight.fixable"), "accent")]]
    if route.ports:
        lines += [[], [(texts("routes.ports"), "head")], *_ports(route, texts, width)]
    rate = _route(target, source, state).bytes_per_second
    if route.latency_ms is not None or rate:
        text = texts("routes.measured", ms=units.number(route.latency_ms, 2), rate=units.bits(rate))
        lines += [[], [(texts("routes.link"), "head")], [(text, "text")]]
    return lines


def blocked_routes(board: RoutesBoard, texts: Texts, width: int) -> list[Spans]:
    """Return a sentence per blocked route, equal ones combined."""
    sentences = board.sentences()
    lines: list[Spans] = [[], [(texts("routes.closed"), "head")]] if sentences else []
    for sentence in sentences[:MOST]:
        first, *rest = wrap(texts.translate(sentence), width - 2)
        lines += [[("✗ ", "fail"), (first, "text")], *([("  ", "text"), (part, "text")] for part in rest)]
    if len(sentences) > MOST:
        lines.append([(texts("confirm.more", count=len(sentences) - MOST), "muted")])
    return lines


def markdown(cards: Sequence[NodeCard], state: FleetState, texts: Texts) -> str:
    """Return all routes as a Markdown table and the blocked ones as sentences; empty if none was tested."""
    names = [card.name for card in cards]
    board = RoutesBoard()
    board.update(names, state)
    if not any(state.nodes[name].routes for name in names if name in state.nodes):
        return ""
    head = ["", *(f"→ {name}" for name in names)]
    lines = ["", f"## {texts('routes.title')}", "", "| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    for source in names:
        cells = (_cell(source, target, state, texts)[0] for target in names)
        lines.append("| " + " | ".join((source, *cells)) + " |")
    return (
        "\n".join([*lines, "", *(f"- {texts.translate(sentence)}" for sentence in board.sentences())]) + "\n"
    )


def _ports(route: Route, texts: Texts, width: int) -> list[Spans]:
    words = [
        (port, texts.word("port", outcome), "ok" if outcome == _OPEN else "fail")
        for port, outcome in route.ports.items()
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
    sign, style = mark("route", kind, texts)
    glyph = sign.split()[0]
    if ports and len(ports) < len(_route(source, target, state).ports):
        # The name of the port is more useful than the word; there is room for one.
        return f"{glyph} {ports[0]}" + (f" +{len(ports) - 1}" if len(ports) > 1 else ""), style
    rate = _route(target, source, state).bytes_per_second
    return (f"{glyph} {units.bits(rate)}", style) if kind == "ok" and rate else (sign, style)


def _sentences(source: str, target: str, route: Route) -> list[Message]:
    if all(outcome == _OPEN for outcome in route.ports.values()):
        return []
    from fleet.preflight.pairs import (  # nothing before the first preflight needs it
        blocked_messages,
        blocked_ports,
    )

    return blocked_messages(blocked_ports(source, target, route.ports))


def _route(source: str, target: str, state: FleetState) -> Route:
    node = state.nodes.get(source)
    return node.routes.get(target, Route()) if node else Route()
