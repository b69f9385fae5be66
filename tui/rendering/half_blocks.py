"""Pictures in a terminal: each cell shows two pixels, one above the other, by the upper half of a block."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from rich.color import Color
from rich.segment import Segment
from rich.style import Style

from tui.rendering.png import Colour, Picture

_UPPER = "▀"


def half_blocks(picture: Picture, columns: int, lines: int) -> list[list[Segment]]:
    """Return lines of segments with the whole picture in its proportions, at most ``height`` of them.

    A pixel shown has the colour that most pixels in its place have: plans have few colours, and their mean
    would be none of them.
    """
    scale = max(picture.width / max(1, columns), picture.height / max(1, 2 * lines), 1.0)
    across, down = max(1, int(picture.width / scale)), max(1, int(picture.height / scale))
    across_of, down_of = _cuts(picture.width, across), _cuts(picture.height, down)
    small = [[_commonest(picture, rows, cols) for cols in across_of] for rows in down_of]
    return [_line(small[at], small[at + 1] if at + 1 < down else None) for at in range(0, down, 2)]


def _cuts(size: int, pieces: int) -> list[range]:
    return [range(at * size // pieces, (at + 1) * size // pieces) for at in range(pieces)]


def _commonest(picture: Picture, rows: range, columns: range) -> Colour:
    seen = Counter(colour for row in rows for colour in picture.rows[row][columns.start : columns.stop])
    return seen.most_common(1)[0][0]


def _line(upper: Sequence[Colour], lower: Sequence[Colour] | None) -> list[Segment]:
    return [
        Segment(
            _UPPER,
            Style(
                color=Color.from_rgb(*above),
                bgcolor=Color.from_rgb(*lower[at]) if lower is not None else None,
            ),
        )
        for at, above in enumerate(upper)
    ]
