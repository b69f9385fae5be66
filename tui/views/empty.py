"""What a newcomer sees before there is any node."""

from __future__ import annotations

from tui.i18n import Texts
from tui.rendering.spans import Spans


def empty_fleet(texts: Texts, *, elsewhere: bool = False) -> list[Spans]:
    """Return the first steps: add a node, import a list, or see the demo (``elsewhere``: than mode 1)."""
    keys = [("a", "empty.add"), ("i", "empty.import"), ("6", "empty.edit"), ("?", "empty.help")]
    if elsewhere:
        keys = [("1", "empty.go"), *keys[2:]]
    lines: list[Spans] = [
        [],
        [(texts("empty.title"), "title")],
        [],
        *([(line, "text")] for line in texts("empty.text").split("\n")),
        [],
    ]
    lines += [[(f"  {key}  ", "key"), (texts(text), "text")] for key, text in keys]
    lines += [[], [(texts("empty.demo"), "text")], [("  dtui demo", "key")]]
    return lines
