"""Runs an operation of the fleet from a command: prints its events and records what failed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Coroutine
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import TypeVar

from fleet.events import CheckFinished, Event, LinkChanged, NodeDeployed, Notice, RunFinished, StageChanged
from fleet.fleet import Fleet
from fleet.inventory import Inventory
from transports.base import Prompts
from tui.cli.exits import DONE, FAILED
from tui.cli.options import home_of
from tui.cli.printing import Printer
from tui.cli.prompts import TerminalPrompts
from tui.i18n import Texts

Operation = Callable[[Fleet], AsyncGenerator[Event, None]]
_Result = TypeVar("_Result")


@dataclass
class Tally:
    """What went wrong so far, by node."""

    failed: dict[str, str] = field(default_factory=dict)
    #: Nodes without a connection now. A reconnected one is not a failure.
    _apart: dict[str, str] = field(default_factory=dict)
    _failed_runs: set[str] = field(default_factory=set)

    def count(self, event: Event) -> None:
        """Take one event into account."""
        if isinstance(event, LinkChanged):
            if event.state in ("failed", "lost"):
                self._apart[event.node] = event.detail
            elif event.state == "up":
                self._apart.pop(event.node, None)
        elif isinstance(event, Notice) and event.level == "error":
            self.failed[event.node] = event.text
        elif isinstance(event, CheckFinished) and event.status == "fail":
            self.failed[event.node] = f"{event.check}: {event.seen}"
        elif (isinstance(event, StageChanged) and event.state == "failed") or (
            isinstance(event, NodeDeployed) and not event.ok
        ):
            self.failed[event.node] = event.detail
        elif isinstance(event, RunFinished):
            if event.outcome == "failed":
                self.failed[event.run] = event.cause
                self._failed_runs.add(event.run)
            elif event.outcome == "succeeded":
                # A restart has made up for the attempts before it.
                for run in self._failed_runs:
                    del self.failed[run]
                self._failed_runs.clear()

    @property
    def status(self) -> int:
        """The exit status."""
        return FAILED if self.failed or self._apart else DONE


def run_request(
    inventory: Inventory, texts: Texts, request: Callable[[Fleet], Coroutine[object, object, _Result]]
) -> _Result:
    """Return the result of a request to the inventory's nodes; passwords are asked for at the terminal."""

    async def send() -> _Result:
        async with Fleet(inventory, home=home_of(inventory), prompts=TerminalPrompts(texts)) as fleet:
            return await request(fleet)

    return asyncio.run(send())


def run_operation(inventory: Inventory, printer: Printer, operation: Operation) -> int:
    """Run one operation on the inventory's nodes to its end and return the exit status."""
    return asyncio.run(play(inventory, printer, operation))


async def play(
    inventory: Inventory, printer: Printer, operation: Operation, prompts: Prompts | None = None
) -> int:
    """The same on a running event loop; ``prompts`` answers instead of the user at the terminal."""
    tally = Tally()
    with printer:
        async with (
            Fleet(
                inventory, home=home_of(inventory), prompts=prompts or TerminalPrompts(printer.texts)
            ) as fleet,
            # Closing the stream in this task, not at the loop's end, lets an operation end its requests.
            aclosing(operation(fleet)) as events,
        ):
            async for event in events:
                tally.count(event)
                printer.emit(event)
    return tally.status
