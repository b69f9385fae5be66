"""Prints the fleet's load: once at the end, or redrawn in place while somebody watches."""

from __future__ import annotations

import sys
from typing import Self

from rich.console import Console
from rich.live import Live
from rich.text import Text

from fleet.events import Event, TelemetrySampled
from fleet.telemetry import Meter, TelemetrySettings
from tui.cli.gpu_table import Sample, table
from tui.cli.printing import PlainPrinter
from tui.i18n import Texts


class GpuPrinter:
    """Samples to stdout, troubles to stderr; a pipe gets a new table each time all nodes have told."""

    def __init__(self, settings: TelemetrySettings, *, watch: bool, texts: Texts | None = None) -> None:
        self._troubles = PlainPrinter(texts=texts)
        self.texts = self._troubles.texts
        self._meter = Meter(settings)
        self._samples: dict[str, Sample] = {}
        self._told: set[str] = set()
        self._watch = watch
        self._live: Live | None = None

    def __enter__(self) -> Self:
        if self._watch and sys.stdout.isatty():
            self._live = Live(console=Console(highlight=False), auto_refresh=False)
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def emit(self, event: Event) -> None:
        """Take one event."""
        if not isinstance(event, TelemetrySampled):
            self._troubles.emit(event)
            return
        if self._watch and self._live is None and event.node in self._told:
            self._print()
        self._meter.take(event)
        self._samples[event.node] = event.sample
        self._told.add(event.node)
        if self._live is not None:
            lines = "\n".join(self._table())
            self._live.update(Text(lines, no_wrap=True, overflow="ellipsis"), refresh=True)

    def close(self) -> None:
        """Print what is still held back."""
        if self._live is not None:
            self._live.stop()
        elif self._told:
            self._print()
        self._troubles.close()

    def _print(self) -> None:
        self._told.clear()
        print("\n".join(self._table()), flush=True)

    def _table(self) -> list[str]:
        lights = {name: node.lights for name, node in self._meter.meaning().nodes.items()}
        return table(self._samples, lights, self.texts)
