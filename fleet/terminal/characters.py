"""Which characters a terminal may be sent, and which are dropped or replaced.

Control characters move the cursor or start a command of the terminal. Format characters are invisible: they
reverse the order of a line (bidi), hide text or make two different names look the same. All of them are
dropped, the zero-width joiner and the variation selectors included: terminals disagree about the width of the
emoji that they form, and a wrong width shifts the rest of the line.
"""

from __future__ import annotations

import re
import unicodedata

#: Combining marks kept per base character. Vietnamese needs 2, Hebrew and Tibetan up to 4.
MARKS_PER_CHARACTER = 4
REPLACEMENT = "\ufffd"

#: Format characters (category Cf), default-ignorable code points, invisible fillers and variation selectors.
_INVISIBLE = (
    "\u00ad\u034f\u0600-\u0605\u061c\u06dd\u070f\u0890\u0891\u08e2\u115f\u1160\u17b4\u17b5\u180b-\u180f"
    "\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb"
    "\U000110bd\U000110cd\U00013430-\U0001343f\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff"
)
_CONTROL = "\x00-\x1f\x7f-\x9f"
_SEPARATORS = "\u2028\u2029"
_BROKEN = "\ud800-\udfff\ufffe\uffff"

#: A first check in one pass: a character that is never sent unchanged, or a run that may hold too many marks.
#: Letters, digits, ASCII and the symbols of U+2100-2BFF (boxes, blocks, arrows) can't be combining marks.
_SUSPECT = re.compile(
    f"[{_CONTROL}{_INVISIBLE}{_SEPARATORS}{_BROKEN}]|[^\\w\\s!-~\u2100-\u2bff]{{{MARKS_PER_CHARACTER + 1}}}"
    "|\\A[^\\w\\s!-~\u2100-\u2bff]"
)
#: Text of these only needs no further check: Latin, Greek, Cyrillic, symbols, kana, Han, Hangul.
_HARMLESS = re.compile(
    "[ -~\u00a1-\u00ac\u00ae-\u02ff\u0370-\u0482\u2010-\u2027\u2030-\u205e\u2100-\u2bff\u3000-\u3029"
    "\u3030-\u303f\u3041-\u3096\u30a0-\u30ff\u4e00-\u9fff\uac00-\ud7a3\uff01-\uff5e]*"
)
_DROPPED = re.compile(f"[{_CONTROL}{_INVISIBLE}]+")
_REPLACED = re.compile(f"[{_BROKEN}]")
_SPACES = re.compile(f"[{_SEPARATORS}]")
_NOT_LETTERS = re.compile("[^\\w\\s!-~\u2100-\u2bff]+")


def is_safe(text: str) -> bool:
    """Return whether the text can be sent to a terminal unchanged."""
    if text.isascii() and text.isprintable():
        return True
    return _HARMLESS.fullmatch(text) is not None or _SUSPECT.search(text) is None


def without_controls(text: str) -> str:
    """Return the text without what must not reach a terminal; escape sequences are not interpreted here."""
    if is_safe(text):
        return text
    text = _DROPPED.sub("", _SPACES.sub(" ", _REPLACED.sub(REPLACEMENT, text)))
    return _NOT_LETTERS.sub(_bounded_marks, text)


def _bounded_marks(found: re.Match[str]) -> str:
    """Return a run with at most MARKS_PER_CHARACTER combining marks per base, and none without a base."""
    kept: list[str] = []
    marks = 0 if found.start() else MARKS_PER_CHARACTER
    for character in found.group():
        if unicodedata.category(character) not in ("Mn", "Me"):
            marks = 0
        elif marks >= MARKS_PER_CHARACTER:
            continue
        else:
            marks += 1
        kept.append(character)
    return "".join(kept)


def cells(character: str) -> int:
    """Return the columns that a character takes: 0 for a combining mark, 2 for a wide one, else 1."""
    if character.isascii():
        return 1
    if unicodedata.east_asian_width(character) in "WF":
        return 2
    return 0 if unicodedata.category(character) in ("Mn", "Me") else 1
