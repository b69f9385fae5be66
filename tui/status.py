"""How a state looks: a glyph, a word and a colour, always all three."""

from __future__ import annotations

from tui.i18n import Texts
from tui.widgets.paint import Span

#: Kind -> value -> (glyph, style). The word is the catalogue's ``<kind>.<value>``.
MARKS: dict[str, dict[str, tuple[str, str]]] = {
    "link": {
        "unknown": ("·", "muted"),
        "connecting": ("◌", "busy"),
        "up": ("●", "ok"),
        "lost": ("◍", "warn"),
        "failed": ("✗", "fail"),
        "closed": ("○", "muted"),
    },
    "check": {
        "ok": ("✓", "ok"),
        "warn": ("▲", "warn"),
        "fail": ("✗", "fail"),
        "skip": ("–", "muted"),
        "none": ("·", "faint"),
    },
    "way": {
        "ok": ("✓", "ok"),
        "warn": ("▲", "warn"),
        "fail": ("✗", "fail"),
        "lost": ("◍", "muted"),
        "none": ("·", "faint"),
    },
    "stage": {
        "waiting": ("·", "faint"),
        "running": ("▸", "busy"),
        "done": ("✓", "ok"),
        "failed": ("✗", "fail"),
        "skipped": ("–", "muted"),
    },
    "phase": {
        "planned": ("·", "muted"),
        "starting": ("◌", "busy"),
        "importing": ("◌", "busy"),
        "joining": ("◔", "busy"),
        "joined": ("◕", "busy"),
        "training": ("▶", "ok"),
        "saving": ("▣", "accent"),
        "sampling": ("▣", "accent"),
        "done": ("✓", "ok"),
        "failed": ("✗", "fail"),
        "stopped": ("■", "warn"),
    },
    "outcome": {
        "running": ("▶", "busy"),
        "succeeded": ("✓", "ok"),
        "failed": ("✗", "fail"),
        "stopped": ("■", "warn"),
        "unknown": ("?", "muted"),
    },
    "level": {"info": ("·", "text"), "warning": ("▲", "warn"), "error": ("✗", "fail")},
}


def glyph(kind: str, value: str) -> Span:
    """Return only the glyph, for places where the word stands nearby."""
    sign, style = MARKS[kind].get(value, ("?", "muted"))
    return sign, style


def mark(kind: str, value: str, texts: Texts) -> Span:
    """Return glyph and word in the state's colour."""
    sign, style = MARKS[kind].get(value, ("?", "muted"))
    return f"{sign} {texts.word(kind, value)}", style
