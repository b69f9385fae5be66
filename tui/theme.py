"""The console's own themes, offered in addition to Textual's."""

from __future__ import annotations

from textual.theme import Theme

DEFAULT = "dtui"

_VARIABLES = {"button-focus-text-style": "bold", "button-focus-background": "transparent"}

_NIGHT = Theme(
    name=DEFAULT,
    primary="#6cb6ff",
    secondary="#7f8ea3",
    accent="#c9a3ff",
    success="#63c174",
    warning="#e0b04a",
    error="#f4716a",
    foreground="#d7dee8",
    background="#10141a",
    surface="#151a22",
    panel="#1d242e",
    dark=True,
    variables=_VARIABLES,
)

_DAY = Theme(
    name="dtui-day",
    primary="#0b5cad",
    secondary="#5b6675",
    accent="#6f3fb5",
    success="#1d7a36",
    warning="#8a5a00",
    error="#b3261e",
    foreground="#1c232c",
    background="#fbfcfe",
    surface="#f2f4f8",
    panel="#e4e8ee",
    dark=False,
    variables=_VARIABLES,
)

#: Okabe and Ito's palette: distinguishable with any of the common colour vision deficiencies.
_SAFE = Theme(
    name="dtui-safe",
    primary="#56b4e9",
    secondary="#8f9aa8",
    accent="#cc79a7",
    success="#56b4e9",
    warning="#f0e442",
    error="#e8702a",
    foreground="#dde3ea",
    background="#0f1318",
    surface="#151a21",
    panel="#1e252e",
    dark=True,
    variables=_VARIABLES,
)

#: No colour at all: glyphs, words and brightness carry everything.
_MONO = Theme(
    name="dtui-mono",
    primary="#e6e6e6",
    secondary="#9a9a9a",
    accent="#ffffff",
    success="#c8c8c8",
    warning="#ececec",
    error="#ffffff",
    foreground="#d0d0d0",
    background="#101010",
    surface="#161616",
    panel="#242424",
    dark=True,
    variables=_VARIABLES,
)

THEMES = (_NIGHT, _DAY, _SAFE, _MONO)
