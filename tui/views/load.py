"""What the load of the nodes means: four lights a node, what holds the run up, what it costs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from fleet.state import RunState
from tui.i18n import Texts
from tui.load_words import limited_by, straggler, trained, used_energy
from tui.status import glyph
from tui.units import percent
from tui.widgets.paint import Span, Spans, fit, width_of, wrap

if TYPE_CHECKING:
    from fleet.telemetry import Light, Meaning

#: What a run waits for that somebody can mend.
_HELD_UP = ("data", "communication", "host")


def lights(shown: Iterable[Light], texts: Texts, width: int) -> list[Span]:
    """Return lights in one line: glyph, word and, where there is room, the value."""
    found = tuple(shown)
    for with_value in (("ok", "warn", "fail"), ("warn", "fail"), ()):
        spans = _lights(found, texts, with_value)
        if width_of(spans) <= width:
            break
    return spans


def _lights(shown: Sequence[Light], texts: Texts, with_value: Sequence[str]) -> list[Span]:
    spans: list[Span] = []
    for light in shown:
        sign, style = glyph("check", light.status)
        value = "" if light.value is None or light.status not in with_value else f" {percent(light.value)}"
        spans.append((f"{'  ' if spans else ''}{sign} {texts(f'light.short.{light.name}')}{value}", style))
    return spans


def worst_lights(meaning: Meaning | None, run: RunState, texts: Texts) -> list[Span]:
    """Return the lights of the run's nodes as one set: each as on the node that is worst off."""
    if meaning is None:
        return []
    from fleet.telemetry import worst

    names = {rank.node for rank in run.ranks.values()}
    found = worst({name: node.lights for name, node in meaning.nodes.items() if name in names})
    return _lights([light for _, light in found], texts, ())


def node_lights(meaning: Meaning | None, node: str, texts: Texts, width: int) -> list[Spans]:
    """Return a node's lights, each with what was seen and, unless it is well, what to do."""
    if meaning is None or node not in meaning.nodes:
        return []
    lines: list[Spans] = [[], [(texts("light.title"), "head")]]
    label = 2 + max(width_of([(texts(f"light.{light.name}"), "")]) for light in meaning.nodes[node].lights)
    for light in meaning.nodes[node].lights:
        sign, style = glyph("check", light.status)
        room = max(10, width - label - 3)
        first, *rest = wrap(_seen(light, texts), room)
        lines.append([(f"{sign} {fit(texts(f'light.{light.name}'), label)} ", style), (first, "text")])
        remedy = _remedy(light, texts)
        after = [*rest, *(wrap(f"→ {remedy}", room) if remedy else ())]
        lines += [[(" " * (label + 3) + text, "text" if text in rest else "muted")] for text in after]
    return lines


def _seen(light: Light, texts: Texts) -> str:
    if light.reason == "slowed":
        causes = ", ".join(texts.word("throttle", cause.replace(" ", "_")) for cause in light.causes)
        return texts("light.slowed", gpus=light.subject, causes=causes)
    if light.reason == "broken":
        return light.subject
    if light.reason:
        return texts(f"light.{light.reason}")
    return texts(f"light.seen.{light.name}", value=percent(light.value))


def _remedy(light: Light, texts: Texts) -> str:
    if not light.remedy:
        return ""
    return texts(f"light.remedy.{light.reason or light.name}")


def summary(meaning: Meaning | None, texts: Texts, width: int) -> list[Spans]:
    """Return what holds the run up, who, how much of the GPUs' time trains, energy and cost."""
    if meaning is None:
        return []
    lines: list[Spans] = []
    if (limit := limited_by(meaning, texts)) is not None:
        held = meaning.bound.kind in _HELD_UP
        lines.append([(f"{'▲' if held else '✓'} {limit}", "warn" if held else "ok")])
    if (slow := straggler(meaning, texts)) is not None:
        lines += [[(text, "warn")] for text in wrap(f"▲ {slow}", max(20, width))]
    used = [text for text in (trained(meaning, texts), used_energy(meaning)) if text is not None]
    if used:
        lines += [[(text, "text")] for text in wrap("  ".join(used), max(20, width))]
    return lines
