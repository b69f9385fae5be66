"""Lines of styled pieces: what views return and widgets draw.

A line is a list of spans ``(text, style)``. Styles are names, listed in ``tui/widgets/span_widget.py`` with
their colours. Every width is in terminal cells (a Hangul syllable has two).
"""

from __future__ import annotations

from collections.abc import Sequence

from rich.cells import cell_len, set_cell_size

from fleet.terminal import block, one_line

#: A text, rendered at the latest when it is laid out, and its style.
Span = tuple[str, str]
Spans = Sequence[Span]


def width_of(spans: Spans) -> int:
    """Return the width of a line."""
    return sum(cell_len(one_line(text)) for text, _ in spans)


def fit(text: str, width: int, align: str = "left") -> str:
    """Return ``text`` in exactly ``width`` cells; what is too long ends in an ellipsis."""
    text = one_line(text)
    length = cell_len(text)
    if length > width:
        return (
            set_cell_size(set_cell_size(text, max(0, width - 1)).rstrip() + "…", width) if width > 0 else ""
        )
    space = " " * (width - length)
    return space + text if align == "right" else text + space


def fit_spans(spans: Spans, width: int, align: str = "left") -> list[Span]:
    """Return the line in exactly ``width`` cells, padded or cut like :func:`fit`."""
    spans = [(one_line(text), style) for text, style in spans]
    left = width - sum(cell_len(text) for text, _ in spans)
    if left >= 0:
        pad = (" " * left, "text")
        return [pad, *spans] if align == "right" else [*spans, pad]
    result: list[Span] = []
    room = width
    for text, style in spans:
        length = cell_len(text)
        if length >= room:
            result.append((fit(text + " " if length == room else text, room), style))
            return result
        result.append((text, style))
        room -= length
    return result


def wrap(text: str, width: int) -> list[str]:
    """Return ``text`` in lines of at most ``width`` cells, broken at spaces where there are any."""
    lines: list[str] = []
    for paragraph in block(text).split("\n"):
        line = ""
        for word in paragraph.split(" "):
            while cell_len(word) > width:
                room = width - cell_len(line) - bool(line)
                if room < width // 3:
                    lines.append(line)
                    line, room = "", width
                cut = _cut(word, room)
                line, word = f"{line} {word[:cut]}" if line else word[:cut], word[cut:]
                lines.append(line)
                line = ""
            if line and cell_len(line) + 1 + cell_len(word) > width:
                lines.append(line)
                line = word
            else:
                line = f"{line} {word}" if line else word
        lines.append(line)
    return lines


def labelled(label: str, value: str, indent: int, width: int, style: str = "text") -> list[Spans]:
    """Return ``label`` in ``indent`` cells followed by ``value``, in as many lines as needed."""
    first, *rest = wrap(value, max(10, width - indent))
    return [
        [(fit(label, indent), "muted"), (first, style)],
        *([(" " * indent + text, style)] for text in rest),
    ]


def _cut(word: str, room: int) -> int:
    used = 0
    for position, character in enumerate(word):
        used += cell_len(character)
        if used > room:
            return max(1, position)
    return len(word)
