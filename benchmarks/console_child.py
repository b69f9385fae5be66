"""The programs that ``benchmarks.console`` starts in a pty: the console, plain RichLogs, a bare app."""

from __future__ import annotations

import asyncio
import json
import sys
import threading
import time
from collections import deque
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

from textual.app import App, ComposeResult
from textual.binding import Binding
from textual.widgets import Label, RichLog

from fleet.events import CheckFinished, Event, LogChunk, PairProbed, RankPlan, RunPlanned
from fleet.preflight import columns
from fleet.terminal import decode
from tests.console.fakes import Recorded
from tui.app import ConsoleApp
from tui.operations.interface import NodeCard

#: Pieces per second in which a node's lines arrive.
BEATS = 20


class Flood:
    """Makes up the lines of all nodes at a steady rate; ``written`` counts them."""

    def __init__(self, nodes: int, rate: int) -> None:
        lines = [
            f"step {n:>6}/100000  loss {0.5 + n % 97 / 1000:.4f}  lr 3.00e-04  {150 + n % 7}.3 pairs/s  41 ms"
            for n in range(rate // BEATS)
        ]
        self.chunk = "".join(f"{line}\n" for line in lines).encode()
        self.lines = len(lines)
        self.nodes = nodes
        self.written = 0
        self.over = False

    def planned(self) -> RunPlanned:
        ranks = tuple(RankPlan(node=f"gpu{i}", rank=i, local_rank=0) for i in range(self.nodes))
        return RunPlanned(run="r", world_size=self.nodes, master_address="a", master_port=1, ranks=ranks)

    async def events(self) -> AsyncIterator[Event]:
        yield self.planned()
        offset, due = 0, time.perf_counter()
        while not self.over:
            at = time.time()
            for node in range(self.nodes):
                yield LogChunk(run="r", node=f"gpu{node}", rank=node, offset=offset, data=self.chunk, at=at)
            self.written += self.lines * self.nodes
            offset += len(self.chunk)
            due += 1 / BEATS
            await asyncio.sleep(max(0.0, due - time.perf_counter()))


class Results:
    """Preflights of all nodes, one after the other, at a steady rate of events a second."""

    def __init__(self, nodes: int, rate: int) -> None:
        self.nodes, self.rate = nodes, rate
        self.sent = 0
        self.over = False

    async def events(self) -> AsyncIterator[Event]:
        names, due = [f"gpu{i}" for i in range(self.nodes)], time.perf_counter()
        while not self.over:
            for event in self._preflight(names):
                yield event
                self.sent += 1
                if self.sent % (self.rate // BEATS) == 0:
                    due += 1 / BEATS
                    await asyncio.sleep(max(0.0, due - time.perf_counter()))

    def _preflight(self, names: list[str]) -> Iterator[Event]:
        at = time.time()
        for number, column in enumerate(columns()):
            for place, name in enumerate(names):
                status = ("ok", "ok", "ok", "warn", "skip", "fail")[(number * 7 + place * 3) % 6]
                yield CheckFinished(
                    node=name, at=at, check=column.name, status=status, seen="as was seen", why=column.why
                )
        for name in names:
            for peer in names:
                if peer != name:
                    yield PairProbed(node=name, at=at, peer=peer, ports={"29500": "open"})


class Probe(Label):
    """Shows how many probe keys have been pressed."""

    DEFAULT_CSS = "Probe { dock: right; width: 12; height: 1; layer: probe; }"
    presses = 0

    def press(self) -> None:
        self.presses += 1
        self.update(f"probe-{self.presses:04d}")


class Console(ConsoleApp):
    """The console with a probe."""

    BINDINGS = [Binding("f10", "probe", show=False), Binding("f11", "over", show=False)]  # noqa: RUF012

    def __init__(self, flood: Flood, result: Path) -> None:
        self.flood, self.result_path = flood, result
        operations = Recorded([NodeCard(f"gpu{i}", "127.0.0.1") for i in range(flood.nodes)])
        super().__init__(operations, first="monitor")

    def _begin(self) -> None:
        super()._begin()
        self.engine.run("flood", self.flood.events)
        self.mode_screen.mount(Probe("probe-0000"))

    def action_probe(self) -> None:
        self.mode_screen.query_one(Probe).press()

    def action_over(self) -> None:
        self.flood.over = True
        book = self.engine.logbook("r")
        # The beat under way may be counted in the logs and not yet as written.
        threading.Event().wait(0.2)
        counted = sum(book.log(rank).complete for rank in book.ranks)
        self.result_path.write_text(json.dumps({"written": self.flood.written, "counted": counted}))
        self.exit()


class Preflight(ConsoleApp):
    """The console at its preflight screen, with a probe."""

    BINDINGS = [Binding("f10", "probe", show=False), Binding("f11", "over", show=False)]  # noqa: RUF012

    def __init__(self, results: Results, result: Path) -> None:
        self.results, self.result_path = results, result
        operations = Recorded([NodeCard(f"gpu{i}", "127.0.0.1") for i in range(results.nodes)])
        super().__init__(operations, first="preflight")

    def _begin(self) -> None:
        super()._begin()
        if self.results.rate:
            self.engine.run("results", self.results.events)
        self.mode_screen.mount(Probe("probe-0000"))

    def action_probe(self) -> None:
        self.mode_screen.query_one(Probe).press()

    def action_over(self) -> None:
        self.results.over = True
        cells = sum(len(node.checks) for node in self.engine.state.nodes.values())
        self.result_path.write_text(json.dumps({"written": self.results.sent, "counted": cells}))
        self.exit()


class Plain(App[None]):
    """Four RichLogs, written to line by line ten times a second; or none, for the cost of the flood."""

    BINDINGS = [Binding("f10", "probe", show=False), Binding("f11", "over", show=False)]  # noqa: RUF012
    CSS = "RichLog { height: 1fr; }"

    def __init__(self, flood: Flood, result: Path, panes: int) -> None:
        super().__init__()
        self.flood, self.result_path, self.panes = flood, result, panes
        self.waiting: list[deque[bytes]] = [deque() for _ in range(flood.nodes)]

    def compose(self) -> ComposeResult:
        yield Probe("probe-0000")
        for _ in range(self.panes):
            yield RichLog(max_lines=10_000)

    def on_mount(self) -> None:
        threading.Thread(target=lambda: asyncio.run(self.receive()), daemon=True).start()
        self.set_interval(0.1, self.flush)

    async def receive(self) -> None:
        async for event in self.flood.events():
            if isinstance(event, LogChunk) and event.rank < self.panes:
                self.waiting[event.rank].append(event.data)

    def flush(self) -> None:
        for log, waiting in zip(self.query(RichLog), self.waiting, strict=False):
            while waiting:
                for line in waiting.popleft().splitlines():
                    log.write(decode(line))

    def action_probe(self) -> None:
        self.query_one(Probe).press()

    def action_over(self) -> None:
        self.flood.over = True
        self.result_path.write_text(json.dumps({"written": self.flood.written}))
        self.exit()


def main() -> None:
    kind, nodes, rate, result = sys.argv[1:]
    flood = Flood(int(nodes), int(rate))
    if kind == "preflight":
        Preflight(Results(int(nodes), int(rate)), Path(result)).run()
    elif kind == "console":
        Console(flood, Path(result)).run()
    else:
        Plain(flood, Path(result), panes=4 if kind == "richlog" else 0).run()


if __name__ == "__main__":
    main()
