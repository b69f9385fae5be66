"""How a state is shown: always as a glyph, a word and a colour."""

from __future__ import annotations

from tui.i18n import Texts
from tui.rendering.spans import Span

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
    "route": {
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
        "running": ("▶", "ok"),
        "training": ("▶", "ok"),
        "saving": ("▣", "accent"),
        "sampling": ("▣", "accent"),
        "done": ("✓", "ok"),
        "failed": ("✗", "fail"),
        "stopped": ("■", "warn"),
        "lost": ("?", "fail"),
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
    """Return only the glyph, for places that also show the word."""
    return MARKS[kind].get(value, ("?", "muted"))


def mark(kind: str, value: str, texts: Texts) -> Span:
    """Return glyph and word in the state's colour."""
    sign, style = glyph(kind, value)
    return f"{sign} {texts.word(kind, value)}", style


def production_title(texts: Texts) -> str:
    """Return the word that every frame of a console on production machines shows."""
    return f"▲ {texts('production.word')} ▲"
