"""Fleet operations on a thread and an event loop of their own.

Nothing here waits for the screen: a terminal that has stalled stops drawing, and transports, state and log
rings go on. The screen looks at ``state`` and ``version`` ten times a second.
"""

from __future__ import annotations

import asyncio
import threading
import traceback
from collections.abc import AsyncIterator, Callable, Iterable
from typing import TYPE_CHECKING

from fleet.events import Event, LinkChanged, LogChunk, Notice, RunPlanned
from fleet.state import FleetState
from tui.load import Load
from tui.operations import Operations

if TYPE_CHECKING:
    from fleet.logbook import Logbook
    from fleet.telemetry import History, Meaning

#: Logs of so many runs are kept for looking back.
KEPT_LOGBOOKS = 3
#: How long leaving waits for operations that are being cancelled, in seconds.
PATIENCE = 5.0
#: A node that nothing has been heard of for so long after watching began is told of, in seconds.
SILENCE = 30.0


class Engine:
    """Runs streams of events and reduces them to a state. One thread writes, the screen's thread reads."""

    def __init__(
        self, operations: Operations, *, clock: Callable[[], float], silence: float = SILENCE
    ) -> None:
        self._operations = operations
        self._silence = silence
        self._clock = clock
        self._state = FleetState.of(card.name for card in operations.nodes())
        self._version = 0
        self._logbooks: dict[str, Logbook] = {}
        self._load = Load(operations)
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        # Streams write from the engine's thread, `absorb` and `tell` from the screen's.
        self._writing = threading.Lock()

    @property
    def state(self) -> FleetState:
        """The fleet as it is now; frozen, so it can be kept and compared."""
        return self._state

    @property
    def version(self) -> int:
        """A number that changes whenever the state or a log does."""
        return self._version

    @property
    def running(self) -> frozenset[str]:
        """The names of the operations under way."""
        return frozenset(list(self._tasks))

    def logbook(self, run: str) -> Logbook:
        """Return the logs of a run, empty ones when nothing has come."""
        found = self._logbooks.get(run)
        return found if found is not None else _new_logbook()

    def meaning(self) -> Meaning | None:
        """Return what the load of the nodes means for the run that is looked at; None before any sample."""
        with self._writing:
            return self._load.meaning(self._state.current, self._clock())

    def sampled(self, node: str, wanted: Callable[[str], bool], after: float = 0.0) -> History:
        """Return what this console has sampled of a node later than ``after``, of the series wanted."""
        with self._writing:
            return self._load.history(node, wanted, after)

    def start(self) -> None:
        """Start the thread and begin to watch the nodes."""
        ready = threading.Event()
        self._thread = threading.Thread(target=self._serve, args=(ready,), name="fleet", daemon=True)
        self._thread.start()
        ready.wait()
        self.run("watch", self._operations.watch)
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._loop.call_later, self._silence, self._tell_silent)

    def stop(self) -> None:
        """Cancel what is under way, let go of the nodes and end the thread. Runs go on."""
        loop, thread = self._loop, self._thread
        if loop is None or thread is None:
            return
        loop.call_soon_threadsafe(lambda: loop.create_task(self._wind_up()))
        thread.join(PATIENCE + 1.0)
        self._loop = self._thread = None

    def run(self, name: str, stream: Callable[[], AsyncIterator[Event]]) -> bool:
        """Start an operation; returns False when one of that name is under way (or the engine is not)."""
        loop = self._loop
        if loop is None or name in self._tasks:
            return False
        started = threading.Event()

        def begin() -> None:
            if name not in self._tasks:
                self._tasks[name] = loop.create_task(self._drive(name, stream))
                self._version += 1
            started.set()

        loop.call_soon_threadsafe(begin)
        return started.wait(PATIENCE)

    def cancel(self, name: str) -> bool:
        """Cancel an operation; returns whether there was one."""
        task, loop = self._tasks.get(name), self._loop
        if task is None or loop is None:
            return False
        loop.call_soon_threadsafe(task.cancel)
        return True

    def absorb(self, events: Iterable[Event]) -> None:
        """Take events in at once: a recorded run, or a test's."""
        for event in events:
            self._take(event)

    def look_at(self, run: str) -> None:
        """Make a run that is known the current one."""
        with self._writing:
            self._state = self._state.looking_at(run)
            self._version += 1

    def tell(self, level: str, text: str, remedy: str = "", node: str = "") -> None:
        """Add a notice of the console's own."""
        self._take(Notice(node=node, at=self._clock(), level=level, text=text, remedy=remedy))

    def follow_inventory(self) -> None:
        """Take over a changed inventory and watch its nodes."""
        with self._writing:
            self._state = self._state.with_nodes(card.name for card in self._operations.nodes())
            self._version += 1
        loop = self._loop
        if loop is not None:
            asyncio.run_coroutine_threadsafe(self._watch_anew(), loop)

    def _take(self, event: Event) -> None:
        with self._writing:
            if isinstance(event, RunPlanned):
                self._open_logbook(event)
            elif isinstance(event, LogChunk):
                if event.run not in self._logbooks:
                    self._logbooks[event.run] = _new_logbook()
                self._logbooks[event.run].take(event)
            trouble = self._load.take(event)
            if trouble is not None:
                self._state = self._state.after(trouble)
            self._state = self._state.after(event)
            self._version += 1

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
            # Whatever an operation has started and not waited for ends here, not at the interpreter's end.
            left = asyncio.all_tasks(loop)
            for task in left:
                task.cancel()
            if left:
                loop.run_until_complete(asyncio.wait(left, timeout=PATIENCE))
            loop.run_until_complete(loop.shutdown_asyncgens())
            loop.close()

    async def _drive(self, name: str, stream: Callable[[], AsyncIterator[Event]]) -> None:
        events: AsyncIterator[Event] | None = None
        try:
            # Making the stream may fail as well: an operation can refuse before its first event.
            events = stream()
            async for event in events:
                self._take(event)
        except asyncio.CancelledError:
            if name != "watch":
                self.tell("warning", f"{name}: cancelled")
        except Exception as error:  # noqa: BLE001  the screen must outlive whatever an operation meets
            self._failed(name, error)
        finally:
            close = getattr(events, "aclose", None)
            if close is not None:
                await close()
            self._tasks.pop(name, None)
            self._version += 1

    def _failed(self, name: str, error: Exception) -> None:
        where = traceback.extract_tb(error.__traceback__)[-1]
        detail = str(error) or f"{type(error).__name__} in {where.name} ({where.filename}:{where.lineno})"
        remedy = getattr(error, "remedy", "") or getattr(error, "hint", "")
        self.tell("error", f"{name}: {detail}", remedy)
        if name == "watch":
            for node in self._silent():
                self._take(
                    LinkChanged(node=node, at=self._clock(), state="failed", detail=detail, remedy=remedy)
                )

    def _silent(self) -> list[str]:
        return [name for name, node in self._state.nodes.items() if node.link.state == "unknown"]

    def _tell_silent(self) -> None:
        """Say which nodes nothing was heard of: an empty row must not look like one that is being tried."""
        under_way = "watch" in self._tasks
        text = "not heard of yet" if under_way else "nobody is trying to reach it"
        for node in self._silent():
            self.tell("warning", text, "Press t on it in mode 1 to try now.", node)

    async def _watch_anew(self) -> None:
        task = self._tasks.get("watch")
        if task is not None:
            task.cancel()
            await asyncio.wait([task], timeout=PATIENCE)
        if "watch" not in self._tasks:
            loop = asyncio.get_running_loop()
            self._tasks["watch"] = loop.create_task(self._drive("watch", self._operations.watch))

    async def _wind_up(self) -> None:
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=PATIENCE)
        try:
            await asyncio.wait_for(self._operations.close(), PATIENCE)
        except (TimeoutError, OSError):
            pass  # the process ends now, and with it every connection
        finally:
            asyncio.get_running_loop().stop()


def _new_logbook() -> Logbook:
    from fleet.logbook import Logbook  # the first frame shows no log

    return Logbook()
