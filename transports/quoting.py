"""Text from a node, limited and made printable for an error message or a question."""

from __future__ import annotations

#: Default maximum length, in characters.
QUOTED = 300


def quoted(text: str, most: int = QUOTED) -> str:
    """Return ``text`` on one line, printable, and at most ``most`` characters long with a mark at the cut."""
    line = " ".join(text[: 4 * most].split())
    printable = "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in line)
    return printable if len(printable) <= most else printable[:most] + " ..."
