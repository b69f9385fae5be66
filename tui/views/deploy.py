"""A deploy as table rows, one a node, and what there is to say of one node."""

from __future__ import annotations

from collections.abc import Sequence

from fleet.state import FleetState, NodeState, Stage
from fleet.state.node import STAGES
from tui.i18n import Texts
from tui.operations import NodeCard
from tui.status import glyph, mark
from tui.units import bar, duration, size
from tui.widgets.paint import Span, Spans, fit, fit_spans, wrap
from tui.widgets.table import Column, Row

_BAR = 12


def columns(texts: Texts) -> list[Column]:
    """Return the columns: a node, its stages, its copy, what it is doing."""
    title = {
        key: texts(f"deploy.column.{key}")
        for key in ("node", "stages", "state", "copy", "rate", "eta", "files", "size")
    }
    return [
        Column("node", title["node"], 10, 1),
        Column("stages", title["stages"], 9),
        Column("state", title["state"], 30, 3),
        Column("copy", title["copy"], _BAR + 6, 0, "left", 3),
        Column("size", title["size"], 19, 0, "right", 4),
        Column("files", title["files"], 11, 0, "right", 5),
        Column("rate", title["rate"], 10, 0, "right", 2),
        Column("eta", title["eta"], 6, 0, "right", 1),
    ]


def rows(cards: Sequence[NodeCard], state: FleetState, texts: Texts) -> list[Row]:
    """Return one row for each node."""
    return [_row(card, state.nodes.get(card.name) or NodeState(card.name), texts) for card in cards]


def _row(card: NodeCard, node: NodeState, texts: Texts) -> Row:
    stages: list[Span] = []
    for name in STAGES:
        sign, style = glyph("stage", node.stages.get(name, Stage()).state)
        stages.append((f" {sign}" if stages else sign, style))
    copy = node.copy
    cells: dict[str, Spans] = {
        "node": [(card.name, "strong")],
        "stages": stages,
        "state": [now(node, texts)],
    }
    if copy is not None:
        share = copy.bytes_done / copy.bytes_total if copy.bytes_total else 1.0
        full, rest = bar(share, _BAR)
        done = copy.bytes_done >= copy.bytes_total
        style = "fail" if node.failed_stage else "ok" if done else "busy"
        cells["copy"] = [(full, style), (rest, "faint"), (f" {share:4.0%}", "text")]
        cells["size"] = [(f"{size(copy.bytes_done)} / {size(copy.bytes_total)}", "text")]
        cells["files"] = [(f"{copy.files_done}/{copy.files_total}", "text")]
        if not done and not has_failed(node):
            cells["rate"] = [(f"{size(copy.rate)}/s", "text")]
            cells["eta"] = [(duration(copy.eta), "text")]
    return Row(card.name, cells)


def now(node: NodeState, texts: Texts) -> Span:
    """Return in one span what a node is doing, or how its deploy ended."""
    failed = node.failed_stage
    if failed:
        return f"✗ {texts.word('step', failed[0])}: {texts.said(failed[1].detail)}", "fail"
    if node.deployed is not None:
        if not node.deployed.ok:
            return f"✗ {texts.said(node.deployed.detail)}", "fail"
        if is_planned(node):
            return texts("deploy.would_send", files=node.plan.files, size=size(node.plan.size)), "text"
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
            f" · {texts.said(stage.detail)}" if stage.detail else ""
        ), "busy"
    if node.plan.files:
        return texts("deploy.would_send", files=node.plan.files, size=size(node.plan.size)), "text"
    done = [name for name, stage in node.stages.items() if stage.state == "done"]
    return (f"✓ {texts.word('step', done[-1])}", "ok") if done else (f"· {texts('stage.waiting')}", "muted")


def is_planned(node: NodeState) -> bool:
    """Return whether the node's last deploy only said what it would do."""
    return bool(node.plan.files) and node.copy is None and not (node.deployed and node.deployed.files_sent)


def has_failed(node: NodeState) -> bool:
    """Return whether the node's last deploy failed."""
    return node.failed_stage is not None or (node.deployed is not None and not node.deployed.ok)


def summary(state: FleetState, texts: Texts, width: int) -> list[Spans]:
    """Return the whole fleet's progress: nodes that are ready, a bar over all bytes, rate, time left."""
    nodes = [node for node in state.nodes.values() if node.stages]
    if not nodes:
        return [[(texts("deploy.idle"), "muted")], []]
    planned = [node.plan for node in nodes if is_planned(node)]
    if planned:
        files, total = sum(plan.files for plan in planned), sum(plan.size for plan in planned)
        text = texts("deploy.would_send", files=files, size=size(total))
        return [[(text, "strong")], [(texts("deploy.nothing_changed"), "muted")]]
    done = sum(node.deployed is not None and node.deployed.ok for node in nodes)
    failed = sum(
        bool(node.failed_stage) or (node.deployed is not None and not node.deployed.ok) for node in nodes
    )
    copies = [node.copy for node in nodes if node.copy is not None]
    moving = [node.copy for node in nodes if node.copy is not None and not has_failed(node)]
    total = sum(copy.bytes_total for copy in copies)
    sent = sum(copy.bytes_done for copy in copies)
    share = done / len(nodes) if not total else sent / total
    active = [copy for copy in moving if copy.bytes_done < copy.bytes_total]
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


def details(node: NodeState, texts: Texts, width: int) -> list[Spans]:
    """Return the stages with their times, then what went wrong, the plan or the environment's output."""
    lines: list[Spans] = [fit_spans([(node.name, "title"), ("  ", "text"), now(node, texts)], width)]
    for name in STAGES:
        stage = node.stages.get(name)
        if stage is None:
            continue
        took = "" if stage.ended is None or stage.started is None else f"{stage.ended - stage.started:6.1f} s"
        lines.append(
            [
                (fit(texts.word("step", name), 14), "strong"),
                (fit(mark("stage", stage.state, texts)[0], 10), mark("stage", stage.state, texts)[1]),
                (f"{took:>9}", "muted"),
                (f"  {texts.said(stage.detail)}" if stage.state != "failed" else "", "muted"),
            ]
        )
        if stage.state == "failed":
            lines += [[(f"  {text}", "fail")] for text in wrap(texts.said(stage.detail), width - 2)]
            remedy = f"→ {texts.said(stage.remedy)}" if stage.remedy else ""
            lines += [[(f"  {text}", "text")] for text in wrap(remedy, width - 2) if remedy]
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
        [(texts("deploy.plan", files=node.plan.files, size=size(node.plan.size)), "head")],
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
