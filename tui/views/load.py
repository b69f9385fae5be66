"""The load of a run and its nodes: health indicators, bottleneck, straggler, energy and cost."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from fleet.state import RunState
from tui.i18n import Texts
from tui.rendering.load_words import bottleneck_text, straggler, trained, used_energy
from tui.rendering.spans import Span, Spans, fit, width_of, wrap
from tui.rendering.status import glyph
from tui.rendering.units import percent

if TYPE_CHECKING:
    from fleet.telemetry import Indicator, LoadSummary

#: Bottlenecks that the user can reduce.
_REDUCIBLE = ("data", "communication", "host")


def indicators(shown: Iterable[Indicator], texts: Texts, width: int) -> list[Span]:
    """Return indicators in one line: glyph and word, with the value if it fits the width."""
    found = tuple(shown)
    for with_value in (("ok", "warn", "fail"), ("warn", "fail"), ()):
        spans = _indicator_spans(found, texts, with_value)
        if width_of(spans) <= width:
            break
    return spans


def _indicator_spans(shown: Sequence[Indicator], texts: Texts, with_value: Sequence[str]) -> list[Span]:
    spans: list[Span] = []
    for one in shown:
        sign, style = glyph("check", one.status)
        value = "" if one.value is None or one.status not in with_value else f" {percent(one.value)}"
        spans.append((f"{'  ' if spans else ''}{sign} {texts(f'indicator.short.{one.name}')}{value}", style))
    return spans


def worst_indicators(load: LoadSummary | None, run: RunState, texts: Texts) -> list[Span]:
    """Return each indicator as of the run's node where it is worst."""
    if load is None:
        return []
    from fleet.telemetry import worst

    names = {rank.node for rank in run.ranks.values()}
    found = worst({name: node.indicators for name, node in load.nodes.items() if name in names})
    return _indicator_spans([one for _, one in found], texts, ())


def node_health(load: LoadSummary | None, node: str, texts: Texts, width: int) -> list[Spans]:
    """Return a node's indicators, each with its finding and, unless it is ok, its remedy."""
    if load is None or node not in load.nodes:
        return []
    lines: list[Spans] = [[], [(texts("indicator.title"), "head")]]
    found = load.nodes[node].indicators
    label = 2 + max(width_of([(texts(f"indicator.{one.name}"), "")]) for one in found)
    for one in found:
        sign, style = glyph("check", one.status)
        room = max(10, width - label - 3)
        first, *rest = wrap(texts.translate(one.finding), room)
        lines.append([(f"{sign} {fit(texts(f'indicator.{one.name}'), label)} ", style), (first, "text")])
        remedy = wrap(f"→ {texts.translate(one.remedy)}", room) if one.remedy else []
        lines += [[(" " * (label + 3) + text, "text")] for text in rest]
        lines += [[(" " * (label + 3) + text, "muted")] for text in remedy]
    return lines


def summary(load: LoadSummary | None, texts: Texts, width: int) -> list[Spans]:
    """Return the bottleneck, the straggler, the share of GPU time that trains, energy and cost."""
    if load is None:
        return []
    lines: list[Spans] = []
    if (limit := bottleneck_text(load, texts)) is not None:
        reducible = load.bottleneck.kind in _REDUCIBLE
        lines.append([(f"{'▲' if reducible else '✓'} {limit}", "warn" if reducible else "ok")])
    if (slow := straggler(load, texts)) is not None:
        lines += [[(text, "warn")] for text in wrap(f"▲ {slow}", max(20, width))]
    used = [text for text in (trained(load, texts), used_energy(load)) if text is not None]
    if used:
        lines += [[(text, "text")] for text in wrap("  ".join(used), max(20, width))]
    return lines
