"""A deploy as table rows, one per node, and the details of one node."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from agent.wire.message import message
from fleet.events import DeployPreview
from fleet.state import FleetState, NodeState, Stage
from fleet.state.node import STAGES, Copy
from tui.i18n import Texts
from tui.operations.interface import NodeCard
from tui.rendering.dry_run import would_change, would_start
from tui.rendering.rows import Row
from tui.rendering.spans import Span, Spans, fit, fit_spans, wrap
from tui.rendering.status import glyph, mark
from tui.rendering.table_columns import TableColumn, row_of
from tui.rendering.units import bar, duration, size

_BAR = 12
#: Stages that are shown only once they have begun.
_OPTIONAL_STAGES = ("setup", "data")


class DeployItem(NamedTuple):
    """What a row shows: a node of the inventory and its state."""

    card: NodeCard
    state: NodeState


def _stages(item: DeployItem, texts: Texts) -> Spans:
    stages = item.state.stages
    # Most runs have neither setup commands nor data to copy; with one of them there is no room for blanks.
    shown = [name for name in STAGES if name not in _OPTIONAL_STAGES or name in stages]
    gap = "" if len(shown) > len(STAGES) - len(_OPTIONAL_STAGES) else " "
    spans: list[Span] = []
    for name in shown:
        sign, style = glyph("stage", stages.get(name, Stage()).state)
        spans.append((f"{gap}{sign}" if spans else sign, style))
    return spans


def _copied(item: DeployItem, texts: Texts) -> Spans:
    copy = item.state.copy
    if copy is None:
        return []
    share = copy.bytes_done / copy.bytes_total if copy.bytes_total else 1.0
    full, rest = bar(share, _BAR)
    style = "fail" if item.state.failed_stage else "busy" if _is_copying(copy) else "ok"
    return [(full, style), (rest, "faint"), (f" {share:4.0%}", "text")]


def _size(item: DeployItem, texts: Texts) -> Spans:
    copy = item.state.copy
    return [] if copy is None else [(f"{size(copy.bytes_done)} / {size(copy.bytes_total)}", "text")]


def _files(item: DeployItem, texts: Texts) -> Spans:
    copy = item.state.copy
    return [] if copy is None else [(f"{copy.files_done}/{copy.files_total}", "text")]


def _rate(item: DeployItem, texts: Texts) -> Spans:
    copy = _active_copy(item.state)
    return [] if copy is None else [(f"{size(copy.rate)}/s", "text")]


def _eta(item: DeployItem, texts: Texts) -> Spans:
    copy = _active_copy(item.state)
    return [] if copy is None else [(duration(copy.eta), "text")]


def _is_copying(copy: Copy) -> bool:
    return copy.bytes_done < copy.bytes_total


def _active_copy(node: NodeState) -> Copy | None:
    copy = node.copy
    return copy if copy is not None and _is_copying(copy) and not has_failed(node) else None


#: Every column of a deploy: a node, its stages, what it is doing, its copy.
COLUMNS: Final[tuple[TableColumn[DeployItem], ...]] = (
    TableColumn(
        "node",
        message("deploy-column.node", "Node"),
        lambda item, texts: [(item.card.name, "strong")],
        10,
        1,
    ),
    TableColumn("stages", message("deploy-column.stages", "Stages"), _stages, 9),
    TableColumn(
        "state", message("deploy-column.state", "Now"), lambda item, texts: [now(item.state, texts)], 30, 3
    ),
    TableColumn("copy", message("deploy-column.copy", "Copied"), _copied, _BAR + 6, order=3),
    TableColumn("size", message("deploy-column.size", "Size"), _size, 19, align="right", order=4),
    TableColumn("files", message("deploy-column.files", "Files"), _files, 11, align="right", order=5),
    TableColumn("rate", message("deploy-column.rate", "Rate"), _rate, 10, align="right", order=2),
    TableColumn("eta", message("deploy-column.eta", "Left"), _eta, 6, align="right", order=1),
)


def rows(cards: Sequence[NodeCard], state: FleetState, texts: Texts) -> list[Row]:
    """Return one row for each node."""
    return [row_of(card.name, DeployItem(card, state.node(card.name)), COLUMNS, texts) for card in cards]


def now(node: NodeState, texts: Texts) -> Span:
    """Return in one span what a node is doing, or how its deploy ended."""
    failed = node.failed_stage
    if failed:
        return f"✗ {texts.word('step', failed[0])}: {texts.translate(failed[1].detail)}", "fail"
    if node.preview is not None:
        return texts.translate(would_change(node.preview)), "text"
    if node.deployed is not None:
        if not node.deployed.ok:
            return f"✗ {texts.translate(node.deployed.detail)}", "fail"
        if not node.deployed.files_sent:
            return f"✓ {texts('deploy.unchanged')}", "ok"
        sent = texts("deploy.sent", files=node.deployed.files_sent, size=size(node.deployed.bytes_sent))
        return f"✓ {sent}", "ok"
    running = [(name, stage) for name, stage in node.stages.items() if stage.state == "running"]
    if running:
        name, stage = running[-1]
        if name == "copy" and node.copy is not None and node.copy.bytes_total:
            return f"▸ {texts('step.copy')} {node.copy.bytes_done / node.copy.bytes_total:.0%}", "busy"
        return f"▸ {texts.word('step', name)}" + (
            f" · {texts.translate(stage.detail)}" if stage.detail else ""
        ), "busy"
    done = [name for name, stage in node.stages.items() if stage.state == "done"]
    return (f"✓ {texts.word('step', done[-1])}", "ok") if done else (f"· {texts('stage.waiting')}", "muted")


def has_failed(node: NodeState) -> bool:
    """Return whether the node's last deploy failed."""
    return node.failed_stage is not None or (node.deployed is not None and not node.deployed.ok)


def summary(state: FleetState, texts: Texts, width: int) -> list[Spans]:
    """Return the whole fleet's progress: nodes that are ready, a bar over all bytes, rate, time left."""
    nodes = [node for node in state.nodes.values() if node.stages]
    if not nodes:
        return [[(texts("deploy.idle"), "muted")], []]
    previews = [node.preview for node in nodes if node.preview is not None]
    if previews:
        lines: list[Spans] = [[(texts.translate(would_change(_together(previews))), "strong")]]
        if state.preview is not None:
            lines.append([(texts.translate(would_start(state.preview)), "text")])
        return [*lines, [(texts("deploy.nothing_changed"), "muted")]]
    done = sum(map(_is_ready, nodes))
    failed = sum(map(has_failed, nodes))
    copies = [node.copy for node in nodes if node.copy is not None]
    total = sum(copy.bytes_total for copy in copies)
    sent = sum(copy.bytes_done for copy in copies)
    share = done / len(nodes) if not total else sent / total
    active = [
        node.copy
        for node in nodes
        if node.copy is not None and not has_failed(node) and node.copy.bytes_done < node.copy.bytes_total
    ]
    etas = [copy.eta for copy in active if copy.eta is not None]
    head: list[Span] = [(texts("deploy.progress", done=done, total=len(nodes)), "strong")]
    if failed:
        head += [("   ", "text"), (f"✗ {texts('deploy.failed', count=failed)}", "fail")]
    if active:
        head.append((f"   {size(sum(copy.rate for copy in active))}/s", "text"))
        head.append((f"   {texts('deploy.left', time=duration(max(etas, default=None)))}", "text"))
    full, rest = bar(share, max(10, width - 26))
    style = "fail" if failed and done + failed == len(nodes) else "ok" if done == len(nodes) else "busy"
    return [head, [(full, style), (rest, "faint"), (f" {share:4.0%}  {size(sent)} / {size(total)}", "text")]]


def _is_ready(node: NodeState) -> bool:
    """Return whether the last deploy, or the last configuration for a launch, succeeded."""
    if node.deployed is not None:
        return node.deployed.ok
    return node.stages.get("configure", Stage()).state == "done"


def _together(previews: Sequence[DeployPreview]) -> DeployPreview:
    return DeployPreview(
        files_to_send=sum(one.files_to_send for one in previews),
        bytes_to_send=sum(one.bytes_to_send for one in previews),
        files_to_delete=sum(one.files_to_delete for one in previews),
        files_to_adjust=sum(one.files_to_adjust for one in previews),
    )


def details(node: NodeState, texts: Texts, width: int) -> list[Spans]:
    """Return the stages with their times, then what went wrong, the plan or the environment's output."""
    lines: list[Spans] = [fit_spans([(node.name, "title"), ("  ", "text"), now(node, texts)], width)]
    for name in STAGES:
        stage = node.stages.get(name)
        if stage is None:
            continue
        took = "" if stage.ended is None or stage.started is None else f"{stage.ended - stage.started:6.1f} s"
        state, style = mark("stage", stage.state, texts)
        lines.append(
            [
                (fit(texts.word("step", name), 14), "strong"),
                (fit(state, 10), style),
                (f"{took:>9}", "muted"),
                (f"  {texts.translate(stage.detail)}" if stage.state != "failed" else "", "muted"),
            ]
        )
        if stage.state == "failed":
            lines += [[(f"  {text}", "fail")] for text in wrap(texts.translate(stage.detail), width - 2)]
            if stage.remedy:
                remedy = wrap(f"→ {texts.translate(stage.remedy)}", width - 2)
                lines += [[(f"  {text}", "text")] for text in remedy]
    if node.plan.files:
        lines += _plan(node, texts)
    if node.environment:
        lines += [[], [(texts("deploy.output"), "head")]]
        lines += [[(text, "text")] for text in node.environment if text]
    return lines


def _plan(node: NodeState, texts: Texts) -> list[Spans]:
    signs = {"add": ("+", "ok"), "replace": ("~", "warn"), "delete": ("−", "fail")}
    lines: list[Spans] = [
        [],
        [(texts("deploy.plan"), "head")],
    ]
    for change in node.plan.changes:
        sign, style = signs.get(change.action, ("?", "muted"))
        word = texts.word("change", change.action)
        lines.append(
            [(f"{sign} {word:<8} ", style), (f"{size(change.size):>10}  ", "muted"), (change.path, "text")]
        )
    more = node.plan.files - len(node.plan.changes)
    if more > 0:
        lines.append([(texts("deploy.more", count=more), "muted")])
    return lines
