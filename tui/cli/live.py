"""Narration for a terminal: finished lines scroll, the copies under way are bars below them."""

from __future__ import annotations

import sys

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

from fleet.events import CopyProgressed, Event, LogChunk, NodeDeployed
from tui.cli.printing import PlainPrinter
from tui.i18n import Texts


class LivePrinter(PlainPrinter):
    """A PlainPrinter whose copy progress is drawn in place."""

    def __init__(self, *, every_check: bool = False, texts: Texts | None = None) -> None:
        self._console = Console(stderr=True, highlight=False)
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            DownloadColumn(),
            TransferSpeedColumn(),
            TimeRemainingColumn(),
            console=self._console,
            transient=True,
        )
        self._bars: dict[str, int] = {}
        super().__init__(every_check=every_check, texts=texts)

    def emit(self, event: Event) -> None:
        """Print one event; bars live from a node's first progress to its NodeDeployed."""
        if isinstance(event, CopyProgressed):
            self._draw(event)
            return
        if isinstance(event, NodeDeployed) and event.node in self._bars:
            self._progress.remove_task(self._bars.pop(event.node))  # type: ignore[arg-type]
        if isinstance(event, LogChunk):
            self._progress.stop()  # the ranks' output goes to stdout, which may be this terminal
        super().emit(event)

    def say(self, text: str) -> None:
        """Print above the bars."""
        self._console.print(text, markup=False, soft_wrap=True)

    def close(self) -> None:
        """Take the bars away and print what is held back."""
        self._progress.stop()
        super().close()
        sys.stdout.flush()

    def _draw(self, event: CopyProgressed) -> None:
        if event.node not in self._bars:
            self._bars[event.node] = self._progress.add_task(event.node, total=event.bytes_total)
            self._progress.start()
        self._progress.update(
            self._bars[event.node],  # type: ignore[arg-type]
            completed=event.bytes_done,
            total=event.bytes_total,
        )
