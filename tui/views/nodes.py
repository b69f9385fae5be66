"""The inventory as table rows, and one node in all detail."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from agent.wire.message import message
from fleet.facts import NodeFacts
from fleet.state import FleetState, NodeState
from tui.i18n import Texts
from tui.operations.interface import NodeCard, RunCard
from tui.rendering.rows import Row
from tui.rendering.spans import Spans, labelled, wrap
from tui.rendering.status import mark
from tui.rendering.table_columns import TableColumn, row_of
from tui.rendering.units import local_time, size
from tui.views import facts
from tui.views.run import outcome

#: Titles of columns and of lines of the details.
NODE = message("nodes-column.node", "Node")
ADDRESS = message("nodes-column.address", "Address")
VIA = message("nodes-column.via", "Via")
PROJECT = message("nodes-column.project", "Project")
TAGS = message("nodes-column.tags", "Tags")
SYSTEM = message("nodes-column.system", "System")
CPU = message("nodes-column.cpu", "CPU")
RAM = message("nodes-column.ram", "RAM")
DISK = message("nodes-column.disk", "Disk free")
PYTHON = message("nodes-column.python", "Python")
DRIVER = message("nodes-column.driver", "Driver")
GPUS = message("nodes-column.gpus", "GPUs")
LAST_RUN = message("nodes-column.last-run", "Last run")
#: Cells for the label of a detail.
_LABEL = 12
_LINK_ORDER = ("failed", "lost", "connecting", "unknown", "closed", "up")
_UNKNOWN = float("inf")


class LastRun(NamedTuple):
    """The newest run that a node was part of: its id, how it ended, when it began (Unix seconds)."""

    run: str
    outcome: str
    started: float


class NodeItem(NamedTuple):
    """What a row shows: a node of the inventory, its state, and its last run."""

    card: NodeCard
    state: NodeState
    last_run: LastRun | None

    @property
    def facts(self) -> NodeFacts | None:
        """The facts of the machine, None until the node was probed."""
        return self.state.facts


def _name(item: NodeItem, texts: Texts) -> Spans:
    name: Spans = [(item.card.name, "strong")]
    return [*name, (" ★", "accent")] if item.card.is_master else name


def _link_sort(item: NodeItem) -> tuple[float]:
    state = item.state.link.state
    return (_LINK_ORDER.index(state) if state in _LINK_ORDER else 0,)


def _gpus(item: NodeItem, texts: Texts) -> Spans:
    if summary := facts.gpu_summary(item.state):
        return [(summary, "text")]
    if item.facts:
        return [(texts("nodes.no_gpu"), "muted")]
    return [(texts("nodes.gpu_count", count=int(item.card.gpus)) if item.card.gpus else "", "muted")]


def _ram(item: NodeItem, texts: Texts) -> Spans:
    return [(size(item.facts["ram"]["total"]) if item.facts else "", "text")]


def _free_disk(item: NodeItem) -> int | None:
    return item.facts["disk"]["free"] if item.facts else None


def _disk(item: NodeItem, texts: Texts) -> Spans:
    free = _free_disk(item)
    low = free is not None and free < 10 * 2**30
    return [(size(free) if item.facts else "", "warn" if low else "text")]


def _disk_sort(item: NodeItem) -> tuple[float]:
    free = _free_disk(item)
    return (_UNKNOWN if free is None else free,)


def _latency(item: NodeItem, texts: Texts) -> Spans:
    latency = item.state.link.latency_ms
    return [("" if latency is None else f"{latency:.0f} ms", "text")]


def _latency_sort(item: NodeItem) -> tuple[float]:
    latency = item.state.link.latency_ms
    return (_UNKNOWN if latency is None else latency,)


def _python(item: NodeItem, texts: Texts) -> Spans:
    return [(item.facts["python"]["version"] if item.facts else "", "text")]


def _last_run(item: NodeItem, texts: Texts) -> Spans:
    ran = item.last_run
    if ran is None:
        return []
    day = local_time(ran.started, "%m-%d %H:%M") if ran.started else ""
    return [mark("outcome", ran.outcome, texts), (f" {day}", "muted")]


#: Every column of the table of nodes, in the standard order.
COLUMNS: Final[tuple[TableColumn[NodeItem], ...]] = (
    TableColumn("node", NODE, _name, 10, 2, sort=lambda item: (item.card.name,)),
    TableColumn(
        "link",
        message("nodes-column.link", "Link"),
        lambda item, texts: [mark("link", item.state.link.state, texts)],
        12,
        sort=_link_sort,
    ),
    TableColumn("address", ADDRESS, lambda item, texts: [(item.card.address, "muted")], 13, 1, order=3),
    TableColumn(
        "via",
        VIA,
        lambda item, texts: [(item.state.link.transport or item.card.transport, "muted")],
        6,
        order=7,
    ),
    TableColumn("system", SYSTEM, lambda item, texts: [(facts.system(item.state), "text")], 14, 2, order=6),
    TableColumn("gpus", GPUS, _gpus, 17, 3, sort=lambda item: (-len(item.state.gpus), item.card.name)),
    TableColumn("ram", RAM, _ram, 8, align="right", order=4),
    TableColumn("disk", DISK, _disk, 9, align="right", order=2, sort=_disk_sort),
    TableColumn(
        "latency",
        message("nodes-column.latency", "Latency"),
        _latency,
        7,
        align="right",
        order=1,
        sort=_latency_sort,
    ),
    TableColumn("driver", DRIVER, lambda item, texts: [(facts.driver(item.state), "text")], 8, order=8),
    TableColumn("python", PYTHON, _python, 7, order=9),
    TableColumn("last_run", LAST_RUN, _last_run, 20, 1, order=5),
    TableColumn("tags", TAGS, lambda item, texts: [(" ".join(item.card.tags), "muted")], 8, 2, order=10),
)
BY_KEY: Final = {column.key: column for column in COLUMNS}
#: Columns that are always shown, first.
FIXED: Final = ("node",)
#: What rows can be sorted by: the order of the inventory, or a column.
SORTS: Final = ("inventory", *(column.key for column in COLUMNS if column.sort is not None))


def last_runs(history: Sequence[RunCard], state: FleetState) -> dict[str, LastRun]:
    """Return each node's last run, from a history whose newest run is first."""
    found: dict[str, LastRun] = {}
    for card in reversed(history):
        found.update(dict.fromkeys(card.members, LastRun(card.run, card.outcome or "running", card.started)))
    run = state.run
    # A run that is viewed again is not the last.
    if run is not None and (not history or history[0].started <= run.planned):
        nodes = {rank.node for rank in run.ranks.values()}
        found.update(dict.fromkeys(nodes, LastRun(run.id, outcome(run), run.planned)))
    return found


def rows(
    cards: Sequence[NodeCard],
    state: FleetState,
    texts: Texts,
    *,
    shown: Sequence[str] = tuple(BY_KEY),
    sort: str = "inventory",
    wanted: str = "",
    ran: Mapping[str, LastRun] | None = None,
) -> list[Row]:
    """Return a row for each node that ``wanted`` selects (words; ``@tag`` for tags), sorted.

    ``ran`` is what :func:`last_runs` returns.
    """
    ran = ran or {}
    items = [NodeItem(card, state.node(card.name), ran.get(card.name)) for card in cards]
    items = [item for item in items if _selected(item, wanted)]
    if sort != "inventory" and (key := BY_KEY[sort].sort) is not None:
        items.sort(key=key)
    declared = [BY_KEY[name] for name in shown]
    return [row_of(item.card.name, item, declared, texts) for item in items]


def _selected(item: NodeItem, wanted: str) -> bool:
    card, node = item.card, item.state
    tags = {*card.tags, "master"} if card.is_master else set(card.tags)
    text = " ".join((card.name, card.address, node.link.state, facts.system(node), facts.gpu_summary(node)))
    return all(
        word[1:] in tags if word.startswith("@") else word.casefold() in text.casefold()
        for word in wanted.split()
    )


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
    if node.link.detail and node.link.state == "connecting":
        lines += [[(text, "text")] for text in wrap(texts.translate(node.link.detail), width)]
    if node.link.detail and node.link.state in ("failed", "lost"):
        lines += [[(text, "fail")] for text in wrap(texts.translate(node.link.detail), width)]
    if node.link.remedy and node.link.state in ("failed", "lost"):
        lines += [[(text, "text")] for text in wrap(f"→ {texts.translate(node.link.remedy)}", width)]
    lines.append([])
    where = f"{card.user}@{card.address}" if card.user else card.address
    known = node.facts
    build = (known["os"]["build"] or "") if known else ""
    pairs = [
        (ADDRESS, where),
        (VIA, node.link.transport or card.transport),
        (PROJECT, card.project),
        (TAGS, " ".join(card.tags)),
        (SYSTEM, " ".join(filter(None, (facts.system(node), build)))),
        (CPU, _cpu(node, texts)),
        (RAM, _free_of(known["ram"]["free"], known["ram"]["total"], texts) if known else ""),
        (DISK, _free_of(known["disk"]["free"], known["disk"]["total"], texts) if known else ""),
        (PYTHON, known["python"]["version"] if known else ""),
        (DRIVER, facts.driver(node)),
    ]
    for title, value in pairs:
        if value:
            lines += labelled(texts.translate(title), value, _LABEL, width)
    if ran is not None:
        how, style = mark("outcome", ran.outcome, texts)
        lines += labelled(texts.translate(LAST_RUN), f"{how} {ran.run}", _LABEL, width, style)
    lines += load
    lines += _gpu_lines(node, texts)
    lines += _adapter_lines(node, texts, width)
    return lines


def _free_of(free: int | None, total: int | None, texts: Texts) -> str:
    return texts("nodes.of", free=size(free), total=size(total))


def _cpu(node: NodeState, texts: Texts) -> str:
    if node.facts is None:
        return ""
    cpu = node.facts["cpu"]
    parts = [cpu["model"]] if cpu["model"] else []
    if cpu["threads"]:
        parts.append(texts("nodes.threads", count=cpu["threads"]))
    return ", ".join(parts)


def _gpu_lines(node: NodeState, texts: Texts) -> list[Spans]:
    found = facts.gpus(node)
    if not found:
        return []
    lines: list[Spans] = [[], [(texts.translate(GPUS), "head")]]
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
    for adapter in node.facts["adapters"] if node.facts else []:
        if not adapter["up"] or adapter["loopback"]:
            continue
        speed = adapter["speed_mbps"]
        text = f"{adapter['name']}  {', '.join(adapter['addresses'])}"
        text += f"  {speed} Mbit/s" if speed else ""
        style = "text" if adapter["routes_to_master"] or adapter["default_route"] else "muted"
        lines += [[(line, style)] for line in wrap(text, width)]
    return [[], [(texts("nodes.adapters"), "head")], *lines] if lines else []
