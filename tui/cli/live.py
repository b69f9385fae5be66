"""Narration for a terminal: finished lines scroll, active copies are bars below them."""

from __future__ import annotations

from rich.progress import BarColumn, Progress, TextColumn
from rich.text import Text

from agent.wire.units import byte_rate, byte_size
from fleet.events import CopyProgressed, Event, LogChunk, NodeDeployed
from fleet.terminal import block, one_line
from tui.cli.output import drawing_console
from tui.cli.printing import PlainPrinter
from tui.cli.unfinished import UnfinishedLines
from tui.i18n import Texts


class LivePrinter(PlainPrinter):
    """A PlainPrinter whose copy progress is drawn in place."""

    def __init__(self, *, every_check: bool = False, texts: Texts | None = None) -> None:
        self._console = drawing_console(stderr=True)
        self._progress = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            TextColumn("{task.fields[amount]}", markup=False),
            console=self._console,
            transient=True,
        )
        self._bars: dict[str, int] = {}
        self._unfinished = UnfinishedLines(self._console)
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

    def print_line(self, text: str) -> None:
        """Print above the bars."""
        self._unfinished.hide()
        self._console.print(Text(block(text)), soft_wrap=True)

    def print_chunk(self, chunk: LogChunk) -> None:
        """Print the lines that are complete, and draw those that are not below them."""
        lines = self._lines.feed(chunk)
        if lines:
            self._unfinished.hide()
            self._print_lines(lines)
        self._unfinished.show(self._lines.unfinished())

    def close(self) -> None:
        """Take the bars away and print what is held back."""
        self._progress.stop()
        self._unfinished.hide()
        super().close()

    def _draw(self, event: CopyProgressed) -> None:
        if event.node not in self._bars:
            self._bars[event.node] = self._progress.add_task(
                one_line(event.node, 40), total=event.bytes_total, amount=""
            )
            self._progress.start()
        self._progress.update(
            self._bars[event.node],  # type: ignore[arg-type]
            completed=event.bytes_done,
            total=event.bytes_total,
            amount=_amount(event, self.texts),
        )


def _amount(event: CopyProgressed, texts: Texts) -> str:
    parts = [f"{byte_size(event.bytes_done)}/{byte_size(event.bytes_total)}", byte_rate(event.rate)]
    if event.eta is not None:
        parts.append(texts.duration(event.eta))
    return "  ".join(parts)
