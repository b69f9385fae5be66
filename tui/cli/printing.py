"""Prints events on the command line: data to stdout, narration to stderr."""

from __future__ import annotations

import time
from typing import Protocol, Self, TextIO

from agent.wire.message import message
from fleet.event_json import to_json
from fleet.events import (
    CheckFinished,
    CopyProgressed,
    Event,
    LinkChanged,
    LogChunk,
    MetricsSeen,
    NodeProbed,
    Notice,
    PairProbed,
    RankPhase,
    TelemetrySampled,
)
from fleet.terminal import Rendered
from tui.cli.loglines import RankLines
from tui.cli.narrate import GLYPHS, sentence
from tui.cli.output import err, out_bytes, out_json, out_rendered
from tui.i18n import Texts

#: Events between which the sum of passed checks can wait.
_OF_A_PREFLIGHT = (CheckFinished, PairProbed, LinkChanged, NodeProbed, Notice)


class Printer(Protocol):
    """Takes events one by one."""

    #: The language of narration and questions.
    texts: Texts

    def emit(self, event: Event) -> None:
        """Print one event."""

    def close(self) -> None:
        """Print what is still held back."""

    def __enter__(self) -> Self: ...

    def __exit__(self, *_: object) -> None: ...


class _Base:
    def __init__(self, texts: Texts | None = None) -> None:
        self.texts = texts or Texts()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Nothing is held back."""


class JsonPrinter(_Base):
    """Every event as a line of JSON on stdout."""

    def emit(self, event: Event) -> None:
        """Print one event."""
        out_json(to_json(event))


#: Seconds between two lines of progress in a log file or pipe.
BAR_SECONDS = 10.0


class PlainPrinter(_Base):
    """Narration on ``narration``, the ranks' output on ``data`` with the rank before each line.

    Progress is printed at most once in ``every`` seconds per node, for logs and pipes. Checks that passed are
    only counted, unless ``every_check`` asks for each.
    """

    def __init__(
        self,
        *,
        data: TextIO | None = None,
        narration: TextIO | None = None,
        every: float = 2.0,
        every_check: bool = False,
        texts: Texts | None = None,
    ) -> None:
        super().__init__(texts)
        self._data = data
        self._narration = narration
        self._every = every
        self._printed: dict[str, float] = {}
        self._lines = RankLines()
        #: Rank's line start -> when its unfinished line was printed last.
        self._bars_printed: dict[str, float] = {}
        self._phases: dict[int, str] = {}
        self._every_check = every_check
        self._passed = 0

    def emit(self, event: Event) -> None:
        """Print one event."""
        if self._passed and not isinstance(event, _OF_A_PREFLIGHT):
            self._print_passed()
        if isinstance(event, LogChunk):
            self.print_chunk(event)
        elif self._is_printed(event):
            text = sentence(event, self.texts)
            if text is not None:
                self.print_line(text)

    def print_line(self, text: str) -> None:
        """Print one line of narration."""
        err(text, stream=self._narration)

    def close(self) -> None:
        """Print lines that never got their end."""
        self._print_passed()
        self._print_lines(self._lines.rest())

    def print_chunk(self, chunk: LogChunk) -> None:
        """Print the lines that a piece of a rank's output completes, and now and then a progress bar."""
        self._print_lines(self._lines.feed(chunk))
        if b"\r" in chunk.data:
            self._print_bars()

    def _print_bars(self) -> None:
        """Print the state of each progress bar, at most once in BAR_SECONDS per rank."""
        now = time.monotonic()
        for line in self._lines.unfinished():
            rank = line.text.partition(" | ")[0]
            if now - self._bars_printed.setdefault(rank, now - BAR_SECONDS) >= BAR_SECONDS:
                self._bars_printed[rank] = now
                self._print_lines([line])

    def _print_lines(self, lines: list[Rendered]) -> None:
        if lines:
            out_rendered(lines, stream=self._data)

    def _print_passed(self) -> None:
        passed, self._passed = self._passed, 0
        if passed and not self._every_check:
            text = message("narration.checks-passed", "{count:n check} passed", count=passed)
            self.print_line(f"{GLYPHS['ok']} {self.texts.translate(text)}")

    def _is_printed(self, event: Event) -> bool:
        if isinstance(event, CopyProgressed):
            now = time.monotonic()
            if (
                event.bytes_done < event.bytes_total
                and now - self._printed.get(event.node, 0.0) < self._every
            ):
                return False
            self._printed[event.node] = now
        elif isinstance(event, CheckFinished) and event.status in ("ok", "skip"):
            self._passed += event.status == "ok"
            return self._every_check
        elif isinstance(event, RankPhase):
            known, self._phases[event.rank] = self._phases.get(event.rank), event.phase
            return known != event.phase
        # The program prints its own steps; these two are for screens.
        return not isinstance(event, MetricsSeen | TelemetrySampled)


class RawPrinter(PlainPrinter):
    """A PlainPrinter that copies the ranks' output byte for byte; the caller has refused a terminal."""

    def print_chunk(self, chunk: LogChunk) -> None:
        """Copy a piece of a rank's output."""
        out_bytes(chunk.data)
