"""Prints the fleet's load: once at the end, or redrawn in place with ``--watch``."""

from __future__ import annotations

from typing import Self

from rich.live import Live
from rich.text import Text

from agent.wire.telemetry import Sample
from fleet.events import Event, TelemetrySampled
from fleet.telemetry import Meter, TelemetrySettings
from fleet.terminal import one_line
from tui.cli.gpu_table import table
from tui.cli.output import drawing_console, is_terminal, out
from tui.cli.printing import PlainPrinter
from tui.i18n import Texts


class GpuPrinter:
    """Samples to stdout, errors to stderr; a pipe gets a new table whenever all nodes have sent a sample."""

    def __init__(self, settings: TelemetrySettings, *, watch: bool, texts: Texts | None = None) -> None:
        self._narration = PlainPrinter(texts=texts)
        self.texts = self._narration.texts
        self._meter = Meter(settings)
        self._samples: dict[str, Sample] = {}
        self._reported: set[str] = set()
        self._watch = watch
        self._live: Live | None = None

    def __enter__(self) -> Self:
        if self._watch and is_terminal("stdout"):
            self._live = Live(console=drawing_console(stderr=False), auto_refresh=False)
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def emit(self, event: Event) -> None:
        """Take one event."""
        if not isinstance(event, TelemetrySampled):
            self._narration.emit(event)
            return
        if self._watch and self._live is None and event.node in self._reported:
            self._print()
        self._meter.add(event)
        self._samples[event.node] = event.sample
        self._reported.add(event.node)
        if self._live is not None:
            lines = "\n".join(self._table())
            self._live.update(Text(lines, no_wrap=True, overflow="ellipsis"), refresh=True)

    def close(self) -> None:
        """Print what is still held back."""
        if self._live is not None:
            self._live.stop()
        elif self._reported:
            self._print()
        self._narration.close()

    def _print(self) -> None:
        self._reported.clear()
        out("\n".join(self._table()))

    def _table(self) -> list[str]:
        indicators = {name: node.indicators for name, node in self._meter.summary().nodes.items()}
        return [one_line(line) for line in table(self._samples, indicators, self.texts)]
