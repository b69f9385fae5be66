"""Textual's widgets for external text: rendered, bounded, and without markup.

Textual reads square brackets in a ``str`` as markup, with actions on click. Screens use these classes and
functions instead of Textual's own; a test (tests/house/test_output.py) fails where one does not.
"""

from __future__ import annotations

from rich.segment import Segment
from textual.color import Color
from textual.content import Content
from textual.filter import LineFilter
from textual.widget import Widget
from textual.widgets import Button, Input, Label, TextArea

from fleet.terminal import block, one_line
from fleet.terminal.characters import is_safe, without_controls

#: Characters of a title, a button or a placeholder, and of a toast.
_SHORT = 200
TOAST = 2000


def plain(text: str) -> Content:
    """Return lines of text for any place of Textual's that would read a ``str`` as markup."""
    return Content(block(text))


def set_titles(widget: Widget, title: str | None = None, subtitle: str | None = None) -> None:
    """Set the texts in a widget's border; None keeps one, an empty text removes it."""
    if title is not None:
        widget.border_title = Content(one_line(title, _SHORT)) if title else None
    if subtitle is not None:
        widget.border_subtitle = Content(one_line(subtitle, _SHORT)) if subtitle else None


class PlainLabel(Label):
    """A label that shows literal text."""

    def __init__(self, text: str = "", *, id: str | None = None, classes: str | None = None) -> None:  # noqa: A002
        super().__init__(plain(text), id=id, classes=classes, markup=False)

    def show(self, text: str) -> None:
        """Show another text."""
        self.update(plain(text))


def plain_button(text: str, *, id: str) -> Button:  # noqa: A002
    """Return a compact button with the text on it."""
    return Button(Content(one_line(text, _SHORT)), id=id, compact=True)


def plain_input(
    value: str = "",
    *,
    placeholder: str = "",
    password: bool = False,
    id: str,  # noqa: A002
    select_on_focus: bool = True,
) -> Input:
    """Return a field to type in."""
    return Input(
        value if password else one_line(value),
        placeholder=one_line(placeholder, _SHORT),
        password=password,
        id=id,
        select_on_focus=select_on_focus,
    )


def text_editor(*, id: str) -> TextArea:  # noqa: A002
    """Return an editor. Its text is unchanged; :class:`ControlFilter` filters what is drawn of it."""
    return TextArea("", id=id, show_line_numbers=True, tab_behavior="indent")


class ControlFilter(LineFilter):
    """The last step before any widget's line is drawn: it removes control characters.

    The width of each segment stays, since the layout is done.
    """

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        """Return the segments without what a terminal must not be sent."""
        if all(segment.control is None and is_safe(segment.text) for segment in segments):
            return segments
        return [_guarded(segment) for segment in segments if segment.control is None]


def _guarded(segment: Segment) -> Segment:
    text, style, _ = segment
    if is_safe(text):
        return segment
    shown = without_controls(text)
    width, guarded = segment.cell_length, Segment(shown, style)
    if guarded.cell_length < width:
        return Segment(shown + " " * (width - guarded.cell_length), style)
    return guarded if guarded.cell_length == width else guarded.split_cells(width)[0]
