"""Hostile strings, and what must be true of everything that reaches a terminal."""

from __future__ import annotations

import unicodedata

#: Name -> a string that harms a terminal which is sent it as it is. Each shows the word HARM.
ATTACKS = {
    "clipboard": "HARM\x1b]52;c;SEFDS0VE\x07",
    "clipboard, ST": "HARM\x1b]52;c;SEFDS0VE\x1b\\",
    "clipboard, C1": "HARM\x9d52;c;SEFDS0VE\x9c",
    "title": "HARM\x1b]0;HACKED\x07",
    "title, not terminated": "HARM\x1b]2;HACKED",
    "clear screen": "HARM\x1b[2J\x1b[H",
    "clear screen, C1": "HARM\x9b2J\x9bH",
    "alternate screen": "HARM\x1b[?1049h",
    "reset": "HARM\x1bc",
    "device control": "HARM\x1bP+q544e\x1b\\",
    "application command": "HARM\x1b_Gi=31;AAAA\x1b\\",
    "privacy message": "HARM\x1b^secret\x1b\\",
    "start of string": "HARM\x1bXsecret\x1b\\",
    "line drawing": "HARM\x1b(0",
    "report": "HARM\x1b[6n\x1b[c\x05",
    "scroll region": "HARM\x1b[5;5r",
    "bidi": "HARM\u202egpj.exe\u202c\u2066x\u2069\u200f\u061c",
    "zero width": "HA\u200bR\u200dM\u2060\ufeff\u180e",
    "tags": "HARM\U000e0041\U000e007f",
    "surrogate": "HARM\udfff\ud800",
    "separators": "HARM\u2028next\u2029",
    "marks": "HARM" + "\u0301" * 500,
    "NUL and BEL": "HARM\x00\x07\x7f\x0e\x0f",
    "overwrite": "safe\rHARM",
    "vertical": "HARM\x0b\x0c\x1bM\x1bD\x1bE\x85",
    "markup": "HARM[bold red on blue]x[/][link=http://evil]y[/link][@click=app.quit]z[/]",
    "long": "HARM" + "x" * 700_000,
}


def unsafe_in(text: str) -> list[str]:
    """Return the characters of the text that must never reach a terminal, line feeds excepted."""
    found = []
    marks = 0
    for character in text:
        category = unicodedata.category(character)
        marks = marks + 1 if category in ("Mn", "Me") else 0
        harmful = category in ("Cc", "Cf", "Cs", "Zl", "Zp") or 0xFE00 <= ord(character) <= 0xFE0F
        if (harmful and character != "\n") or marks > 4:
            found.append(f"U+{ord(character):04X}")
    return found
