"""Unfinished lines of ranks, such as progress bars, at the bottom of a terminal: one line per rank."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from fleet.terminal import Rendered, one_line

#: Drawings per second; programs redraw their bars more often.
_RATE = 8
#: More ranks would leave no room for finished lines.
_MOST = 16


class UnfinishedLines:
    """Draws the lines below everything that is printed, and takes them away before something is."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._live: Live | None = None

    def hide(self) -> None:
        """Take the lines away, so that something can be printed."""
        if self._live is not None:
            self._live.stop()
            self._live = None

    def show(self, lines: Sequence[Rendered]) -> None:
        """Draw these lines, with a delay if they were drawn just before."""
        if not lines:
            self.hide()
            return
        width = max(20, self._console.width - 1)
        group = Group(*(Text(one_line(line.text, width), no_wrap=True) for line in lines[:_MOST]))
        if self._live is None:
            self._live = Live(group, console=self._console, refresh_per_second=_RATE, transient=True)
            self._live.start(refresh=True)
        else:
            self._live.update(group)
