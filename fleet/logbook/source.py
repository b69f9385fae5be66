"""What a log pane reads from."""

from __future__ import annotations

from typing import NamedTuple, Protocol


class Line(NamedTuple):
    """One line to show: its number in the source, the rank(s) it is of, when it arrived, its text."""

    number: int
    ranks: tuple[int, ...]
    at: float
    text: str
    #: It does not match itself, but is near a line that does.
    aside: bool = False
    #: Lines before it are left out.
    after_gap: bool = False
    #: Colours of the program: start, end and SGR parameters of parts of the text, see ``fleet.terminal``.
    colors: tuple[tuple[int, int, str], ...] = ()


class Source(Protocol):
    """A growing sequence of lines, numbered from 0 without a gap; the oldest are dropped.

    A number stays with its line, so a reader can keep one while lines are added and dropped.
    """

    @property
    def first(self) -> int:
        """The number of the oldest line that is still kept."""

    @property
    def end(self) -> int:
        """The number that the next line will get; an unfinished line at the end counts as one."""

    def advance(self) -> None:
        """Take in what has arrived since the last call; bounded in time, so it may need several calls."""

    def read(self, start: int, stop: int) -> list[Line]:
        """Return the lines from ``start`` up to ``stop``, as far as they are kept."""
