"""The inventory as table rows, and one node in all detail."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from fleet.state import FleetState, NodeState
from tui.i18n import Texts
from tui.operations import NodeCard, RunCard
from tui.status import mark
from tui.units import size
from tui.views import facts
from tui.views.run import outcome
from tui.widgets.paint import Span, Spans, fit, wrap
from tui.widgets.table import Column, Row

#: Column -> (width, share of spare room, alignment, the order in which columns go).
_COLUMNS = {
    "node": (10, 2, "left", 0),
    "link": (12, 0, "left", 0),
    "address": (13, 1, "left", 3),
    "via": (6, 0, "left", 7),
    "system": (14, 2, "left", 6),
    "gpus": (17, 3, "left", 0),
    "ram": (8, 0, "right", 4),
    "disk": (9, 0, "right", 2),
    "latency": (7, 0, "right", 1),
    "driver": (8, 0, "left", 8),
    "python": (7, 0, "left", 9),
    "last_run": (20, 1, "left", 5),
    "tags": (8, 2, "left", 10),
}
COLUMNS = tuple(_COLUMNS)
#: Without these a row says nothing.
FIXED = ("node",)
SORTS = ("inventory", "node", "link", "gpus", "latency", "disk")
_LINK_ORDER = ("failed", "lost", "connecting", "unknown", "closed", "up")


def columns(texts: Texts, shown: Sequence[str] = COLUMNS) -> list[Column]:
    """Return the columns that are shown, in their order."""
    return [Column(key, texts(f"nodes.column.{key}"), *_COLUMNS[key]) for key in shown]


class LastRun(NamedTuple):
    """The newest run that a node was part of: its id, how it ended, when it began (Unix seconds)."""

    run: str
    outcome: str
    started: float


def last_runs(history: Sequence[RunCard], state: FleetState) -> dict[str, LastRun]:
    """Return each node's last run, from a history whose newest run is first."""
    found: dict[str, LastRun] = {}
    for card in reversed(history):
        found.update(dict.fromkeys(card.members, LastRun(card.run, card.outcome or "running", card.started)))
    run = state.run
    # One that is looked at again is not the last.
    if run is not None and (not history or history[0].started <= run.planned):
        nodes = {rank.node for rank in run.ranks.values()}
        found.update(dict.fromkeys(nodes, LastRun(run.id, outcome(run), run.planned)))
    return found


def rows(
    cards: Sequence[NodeCard],
    state: FleetState,
    texts: Texts,
    *,
    sort: str = "inventory",
    wanted: str = "",
    ran: Mapping[str, LastRun] | None = None,
) -> list[Row]:
    """Return a row for each node that ``wanted`` selects (words; ``@tag`` for tags), sorted.

    ``ran`` is what :func:`last_runs` returns.
    """
    chosen = [card for card in cards if _selected(card, state, wanted)]
    if sort != "inventory":
        chosen.sort(key=lambda card: _order(card, state.nodes.get(card.name) or NodeState(card.name), sort))
    ran = ran or {}
    return [
        _row(card, state.nodes.get(card.name) or NodeState(card.name), texts, ran.get(card.name))
        for card in chosen
    ]


def _selected(card: NodeCard, state: FleetState, wanted: str) -> bool:
    node = state.nodes.get(card.name) or NodeState(card.name)
    tags = {*card.tags, "master"} if card.is_master else set(card.tags)
    text = " ".join((card.name, card.address, node.link.state, facts.system(node), facts.gpu_summary(node)))
    return all(
        word[1:] in tags if word.startswith("@") else word.casefold() in text.casefold()
        for word in wanted.split()
    )


def _order(card: NodeCard, node: NodeState, sort: str) -> tuple[float | str, ...]:
    if sort == "link":
        state = node.link.state
        return (_LINK_ORDER.index(state) if state in _LINK_ORDER else 0,)
    if sort == "gpus":
        return (-len(node.gpus), card.name)
    if sort == "latency":
        return (node.link.latency_ms if node.link.latency_ms is not None else float("inf"),)
    if sort == "disk":
        free = facts.part(node, "disk", "free")
        return (free if free is not None else float("inf"),)
    return (card.name,)


def _row(card: NodeCard, node: NodeState, texts: Texts, ran: LastRun | None) -> Row:
    summary = facts.gpu_summary(node)
    known = bool(node.facts)
    latency = node.link.latency_ms
    name: list[Span] = [(card.name, "strong")]
    if card.is_master:
        name.append((" ★", "accent"))
    wanted = texts("nodes.gpu_count", count=card.gpus) if card.gpus else ""
    gpus: Span = (summary, "text") if summary else (texts("nodes.no_gpu") if known else wanted, "muted")
    return Row(
        card.name,
        {
            "node": name,
            "link": [mark("link", node.link.state, texts)],
            "address": [(card.address, "muted")],
            "via": [(node.link.transport or card.transport, "muted")],
            "system": [(facts.system(node), "text")],
            "gpus": [gpus],
            "ram": [(size(facts.part(node, "ram", "total")) if known else "", "text")],
            "disk": [(size(facts.part(node, "disk", "free")) if known else "", _disk_style(node))],
            "latency": [("" if latency is None else f"{latency:.0f} ms", "text")],
            "driver": [(facts.driver(node), "text")],
            "python": [(str(facts.part(node, "python", "version") or ""), "text")],
            "last_run": [mark("outcome", ran.outcome, texts), (f" {_day(ran)}", "muted")] if ran else [],
            "tags": [(" ".join(card.tags), "muted")],
        },
    )


def _day(ran: LastRun) -> str:
    return time.strftime("%m-%d %H:%M", time.localtime(ran.started)) if ran.started else ""


def _disk_style(node: NodeState) -> str:
    free = facts.part(node, "disk", "free")
    return "warn" if free is not None and free < 10 * 2**30 else "text"


def details(
    card: NodeCard,
    node: NodeState,
    texts: Texts,
    width: int,
    ran: LastRun | None = None,
    load: Sequence[Spans] = (),
) -> list[Spans]:
    """Return everything known of one node, ``load`` among it, for a pane ``width`` cells wide."""
    lines: list[Spans] = [[(card.name, "title"), ("  ", "text"), mark("link", node.link.state, texts)]]
    if card.is_master:
        lines[0] = [*lines[0], (f"  ★ {texts('nodes.master')}", "accent")]
    if node.link.detail and node.link.state in ("failed", "lost"):
        lines += [[(text, "fail")] for text in wrap(texts.said(node.link.detail), width)]
    if node.link.remedy and node.link.state in ("failed", "lost"):
        lines += [[(text, "text")] for text in wrap(f"→ {texts.said(node.link.remedy)}", width)]
    lines.append([])
    where = f"{card.user}@{card.address}" if card.user else card.address
    ram, disk = (node.facts.get(key) or {} for key in ("ram", "disk"))
    pairs = [
        ("address", where),
        ("via", node.link.transport or card.transport),
        ("project", card.project),
        ("tags", " ".join(card.tags)),
        ("system", " ".join(filter(None, (facts.system(node), str(facts.part(node, "os", "build") or ""))))),
        ("cpu", _cpu(node, texts)),
        ("ram", texts("nodes.of", free=size(ram.get("free")), total=size(ram.get("total"))) if ram else ""),
        (
            "disk",
            texts("nodes.of", free=size(disk.get("free")), total=size(disk.get("total"))) if disk else "",
        ),
        ("python", str(facts.part(node, "python", "version") or "")),
        ("driver", facts.driver(node)),
    ]
    for key, value in pairs:
        if value:
            lines += _pair(texts(f"nodes.column.{key}"), value, width)
    if ran is not None:
        how, style = mark("outcome", ran.outcome, texts)
        lines += _pair(texts("nodes.column.last_run"), f"{how} {ran.run}", width, style)
    lines += load
    lines += _gpu_lines(node, texts)
    lines += _adapter_lines(node, texts, width)
    return lines


def _pair(label: str, value: str, width: int, style: str = "text") -> list[Spans]:
    room = max(10, width - 12)
    first, *rest = wrap(value, room)
    return [[(fit(label, 12), "muted"), (first, style)], *([(" " * 12 + text, style)] for text in rest)]


def _cpu(node: NodeState, texts: Texts) -> str:
    cpu = node.facts.get("cpu") or {}
    parts = [str(cpu["model"])] if cpu.get("model") else []
    if cpu.get("threads"):
        parts.append(texts("nodes.threads", count=cpu["threads"]))
    return ", ".join(parts)


def _gpu_lines(node: NodeState, texts: Texts) -> list[Spans]:
    found = facts.gpus(node)
    if not found:
        return []
    lines: list[Spans] = [[], [(texts("nodes.column.gpus"), "head")]]
    for gpu in found:
        lines.append(
            [
                (f"{gpu.index:>2} ", "muted"),
                (gpu.name, "text"),
                (f"  {size(gpu.memory_total)}" if gpu.memory_total else "", "muted"),
            ]
        )
    return lines


def _adapter_lines(node: NodeState, texts: Texts, width: int) -> list[Spans]:
    lines: list[Spans] = []
    for adapter in node.facts.get("adapters") or []:
        if not adapter.get("up") or adapter.get("loopback"):
            continue
        speed = adapter.get("speed_mbps")
        addresses = ", ".join(str(item) for item in adapter.get("interfaces") or [])
        text = f"{adapter.get('name')}  {addresses}" + (f"  {speed} Mbit/s" if speed else "")
        style = "text" if adapter.get("route") else "muted"
        lines += [[(line, style)] for line in wrap(text, width)]
    return [[], [(texts("nodes.adapters"), "head")], *lines] if lines else []
