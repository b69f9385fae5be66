"""Text from a node, made fit to stand in an error message or a question."""

from __future__ import annotations

#: Characters that are quoted at most.
QUOTED = 300


def quoted(text: str, most: int = QUOTED) -> str:
    """Return ``text`` on one line, printable, and at most ``most`` characters long with a mark at the cut."""
    line = " ".join(text[: 4 * most].split())
    printable = "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in line)
    return printable if len(printable) <= most else printable[:most] + " ..."
