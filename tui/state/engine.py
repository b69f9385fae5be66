"""Fleet operations on a separate thread and event loop.

Nothing here waits for the screen: a terminal that has stalled stops drawing, and transports, state and log
rings go on. A subscriber is called after each change, and returns at once (:meth:`Engine.subscribe`).
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from agent.wire.message import EMPTY, Message, message
from agent.wire.reasons import reason_of
from fleet.errors import FleetError
from fleet.events import Event, Level, LinkChanged, LogChunk, Notice, RunPlanned
from fleet.state import FleetState
from tui.internal_errors import InternalErrors
from tui.operations.interface import Operations
from tui.operations.operation import Operation
from tui.state.load import Load

if TYPE_CHECKING:
    from fleet.logbook import Logbook
    from fleet.telemetry import History, LoadSummary

#: Number of runs whose logs are kept.
KEPT_LOGBOOKS = 3
#: How long leaving waits for operations that are being cancelled, in seconds.
TIMEOUT = 5.0
#: A node without any event for so long after watching began is reported, in seconds.
SILENCE = 30.0


class Engine:
    """Runs streams of events and reduces them to a state. One thread writes, the screen's thread reads."""

    def __init__(
        self,
        operations: Operations,
        *,
        clock: Callable[[], float],
        silence: float = SILENCE,
        errors: InternalErrors | None = None,
    ) -> None:
        self._errors = errors or InternalErrors(Path())
        self._operations = operations
        self._silence = silence
        self._clock = clock
        self._state = FleetState.of(card.name for card in operations.nodes())
        self._version = 0
        self._logbooks: dict[str, Logbook] = {}
        self._load = Load(operations)
        self._tasks: dict[Operation, asyncio.Task[None]] = {}
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        # Streams write from the engine's thread, `absorb` and `notify` from the screen's.
        self._writing = threading.Lock()
        self._changed: Callable[[], object] = _ignore

    @property
    def state(self) -> FleetState:
        """The fleet as it is now; frozen, so it can be kept and compared."""
        return self._state

    @property
    def version(self) -> int:
        """A number that changes whenever the state or a log does."""
        return self._version

    def subscribe(self, changed: Callable[[], object]) -> None:
        """Call ``changed`` after each change, on the thread that makes it; it must not block."""
        self._changed = changed

    def _count_change(self) -> None:
        self._version += 1
        self._changed()

    @property
    def running(self) -> frozenset[Operation]:
        """The active operations."""
        return frozenset(list(self._tasks))

    def logbook(self, run: str) -> Logbook:
        """Return the logs of a run, empty ones when nothing has arrived."""
        found = self._logbooks.get(run)
        return found if found is not None else _new_logbook()

    def load_summary(self) -> LoadSummary | None:
        """Return the load of the current run and its nodes; None before any sample."""
        with self._writing:
            return self._load.summary(self._state.current, self._clock())

    def sampled(self, node: str, wanted: Callable[[str], bool], after: float = 0.0) -> History:
        """Return this console's samples of a node later than ``after``, of the series wanted."""
        with self._writing:
            return self._load.history(node, wanted, after)

    def start(self) -> None:
        """Start the thread and the watch of the nodes."""
        ready = threading.Event()
        self._thread = threading.Thread(target=self._serve, args=(ready,), name="fleet", daemon=True)
        self._thread.start()
        ready.wait()
        self.run(Operation.WATCH, self._operations.watch)
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._loop.call_later, self._silence, self._report_silent)

    def stop(self) -> None:
        """Cancel active operations, disconnect the nodes and end the thread. Runs keep running."""
        loop, thread = self._loop, self._thread
        if loop is None or thread is None:
            return
        loop.call_soon_threadsafe(lambda: loop.create_task(self._wind_up()))
        thread.join(TIMEOUT + 1.0)
        self._loop = self._thread = None

    def run(self, operation: Operation, stream: Callable[[], AsyncIterator[Event]]) -> bool:
        """Start an operation.

        Returns False when it, or one that it excludes, is active, and when the engine has not started.
        """
        loop = self._loop
        if loop is None or self.running & {operation, *operation.rule.excludes}:
            return False
        started = threading.Event()

        def begin() -> None:
            if operation not in self._tasks:
                self._tasks[operation] = loop.create_task(self._drive(operation, stream))
                self._count_change()
            started.set()

        loop.call_soon_threadsafe(begin)
        return started.wait(TIMEOUT)

    def cancel(self, operation: Operation) -> bool:
        """Cancel an operation; returns whether there was one."""
        task, loop = self._tasks.get(operation), self._loop
        if task is None or loop is None:
            return False
        loop.call_soon_threadsafe(task.cancel)
        return True

    def absorb(self, events: Iterable[Event]) -> None:
        """Add events directly: those of a recorded run, or of a test."""
        for event in events:
            self._take(event)

    def look_at(self, run: str) -> None:
        """Make a run that is known the current one."""
        with self._writing:
            self._state = self._state.looking_at(run)
        self._count_change()

    def notify(self, level: Level, text: Message, remedy: Message = EMPTY, node: str = "") -> None:
        """Add a notice of the console's own."""
        self._take(Notice(node=node, at=self._clock(), level=level, text=text, remedy=remedy))

    def follow_inventory(self) -> None:
        """Take over a changed inventory and watch its nodes."""
        with self._writing:
            self._state = self._state.with_nodes(card.name for card in self._operations.nodes())
        self._count_change()
        loop = self._loop
        if loop is not None:
            asyncio.run_coroutine_threadsafe(self._watch_again(), loop)

    def _take(self, event: Event) -> None:
        with self._writing:
            if isinstance(event, RunPlanned):
                self._open_logbook(event)
            elif isinstance(event, LogChunk):
                if event.run not in self._logbooks:
                    self._logbooks[event.run] = _new_logbook()
                self._logbooks[event.run].add(event)
            trouble = self._load.add(event)
            if trouble is not None:
                self._state = self._state.after(trouble)
            self._state = self._state.after(event)
        self._count_change()

    def _open_logbook(self, event: RunPlanned) -> None:
        book = self._logbooks[event.run] = _new_logbook()
        book.expect(event.world_size)
        while len(self._logbooks) > KEPT_LOGBOOKS:
            self._logbooks.pop(next(iter(self._logbooks)))

    def _serve(self, ready: threading.Event) -> None:
        loop = asyncio.new_event_loop()
        asyncio.set_event_loop(loop)
        self._loop = loop
        ready.set()
        try:
            loop.run_forever()
        finally:
            # Tasks that an operation has not awaited end here, not at the interpreter's end.
            left = asyncio.all_tasks(loop)
            for task in left:
                task.cancel()
            if left:
                loop.run_until_complete(asyncio.wait(left, timeout=TIMEOUT))
            loop.run_until_complete(loop.shutdown_asyncgens())
            loop.close()

    async def _drive(self, operation: Operation, stream: Callable[[], AsyncIterator[Event]]) -> None:
        events: AsyncIterator[Event] | None = None
        try:
            # Making the stream may fail as well: an operation can refuse before its first event.
            events = stream()
            async for event in events:
                self._take(event)
        except asyncio.CancelledError:
            if operation != Operation.WATCH:
                text = message("console.cancelled", "{operation}: cancelled", operation=operation.value)
                self.notify("warning", text)
        except Exception as error:  # noqa: BLE001  the screen must survive any error of an operation
            self._failed(operation, error)
        finally:
            close = getattr(events, "aclose", None)
            if close is not None:
                await close()
            self._tasks.pop(operation, None)
            self._count_change()

    def _failed(self, operation: Operation, error: Exception) -> None:
        remedy = EMPTY
        if isinstance(error, FleetError | OSError):
            what = error.what if isinstance(error, FleetError) else reason_of(error)
            remedy = error.remedy if isinstance(error, FleetError) else EMPTY
            node = error.node if isinstance(error, FleetError) else ""
            where = [operation.value, node] if node else [operation.value]
            detail = message("console.failed", "{where:: }: {what}", where=where, what=what)
        else:
            detail = self._errors.report(error, operation)
        self.notify("error", detail, remedy)
        if operation == Operation.WATCH:
            for node in self._silent():
                self._take(
                    LinkChanged(node=node, at=self._clock(), state="failed", detail=detail, remedy=remedy)
                )

    def _silent(self) -> list[str]:
        return [name for name, node in self._state.nodes.items() if node.link.state == "unknown"]

    def _report_silent(self) -> None:
        """Report the nodes without any event: an empty row must not look like a connection attempt."""
        active = Operation.WATCH in self._tasks
        if active:
            text = message("console.no-answer-yet", "no answer yet")
        else:
            text = message("console.not-tried", "no connection is being attempted")
        remedy = message("console.not-tried.remedy", "press t on the node in mode 1 to connect now")
        for node in self._silent():
            self.notify("warning", text, remedy, node)

    async def _watch_again(self) -> None:
        task = self._tasks.get(Operation.WATCH)
        if task is not None:
            task.cancel()
            await asyncio.wait([task], timeout=TIMEOUT)
        if Operation.WATCH not in self._tasks:
            loop = asyncio.get_running_loop()
            stream = self._drive(Operation.WATCH, self._operations.watch)
            self._tasks[Operation.WATCH] = loop.create_task(stream)

    async def _wind_up(self) -> None:
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=TIMEOUT)
        try:
            await asyncio.wait_for(self._operations.close(), TIMEOUT)
        except (TimeoutError, OSError):
            pass  # the process ends now, and with it every connection
        finally:
            asyncio.get_running_loop().stop()


def _ignore() -> None:
    """Do nothing until there is a subscriber."""


def _new_logbook() -> Logbook:
    from fleet.logbook import Logbook  # the first frame shows no log

    return Logbook()
