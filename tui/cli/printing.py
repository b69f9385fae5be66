"""Where events go on the command line: data to stdout, narration to stderr."""

from __future__ import annotations

import sys
import time
from typing import Protocol, Self, TextIO

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
    to_json,
)
from tui.cli.loglines import RankLines
from tui.cli.narrate import sentence
from tui.i18n import Texts

#: Events between which the sum of passed checks can wait.
_OF_A_PREFLIGHT = (CheckFinished, PairProbed, LinkChanged, NodeProbed, Notice)


class Printer(Protocol):
    """Takes events one by one."""

    #: The language in which a person is told and asked.
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
        print(to_json(event), flush=True)


class PlainPrinter(_Base):
    """Sentences on ``narration``, the ranks' output on ``data`` with the rank before each line.

    Progress is told at most every ``every`` seconds a node, for logs and pipes. Checks that passed are
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
        self._data = data or sys.stdout
        self._narration = narration or sys.stderr
        self._every = every
        self._told: dict[str, float] = {}
        self._lines = RankLines()
        self._phases: dict[int, str] = {}
        self._every_check = every_check
        self._passed = 0

    def emit(self, event: Event) -> None:
        """Print one event."""
        if self._passed and not isinstance(event, _OF_A_PREFLIGHT):
            self._tell_passed()
        if isinstance(event, LogChunk):
            self._print_lines(self._lines.feed(event))
        elif self._worth_telling(event):
            text = sentence(event, self.texts)
            if text is not None:
                self.say(text)

    def say(self, text: str) -> None:
        """Print one sentence of narration."""
        print(text, file=self._narration, flush=True)

    def close(self) -> None:
        """Print lines that never got their end."""
        self._tell_passed()
        self._print_lines(self._lines.rest())

    def _print_lines(self, lines: list[str]) -> None:
        if lines:
            self._data.write("\n".join(lines) + "\n")
            self._data.flush()

    def _tell_passed(self) -> None:
        passed, self._passed = self._passed, 0
        if passed and not self._every_check:
            told = self.texts.said(f"{passed} checks passed")
            self.say(f"✓ {told}")

    def _worth_telling(self, event: Event) -> bool:
        if isinstance(event, CopyProgressed):
            now = time.monotonic()
            if event.bytes_done < event.bytes_total and now - self._told.get(event.node, 0.0) < self._every:
                return False
            self._told[event.node] = now
        elif isinstance(event, CheckFinished) and event.status in ("ok", "skip"):
            self._passed += event.status == "ok"
            return self._every_check
        elif isinstance(event, RankPhase):
            known, self._phases[event.rank] = self._phases.get(event.rank), event.phase
            return known != event.phase
        # The program prints its own steps; these two are for screens.
        return not isinstance(event, MetricsSeen | TelemetrySampled)
