"""Watch a run: all events of its nodes as one stream, which a console can start to read at any time."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import AsyncExitStack, aclosing, suppress

from agent.wire.message import Message, message
from agent.wire.operations import STOP
from agent.wire.reasons import reason_of
from agent.wire.runs import RankStacks, StopArgs
from fleet.diagnose import Diagnosis, LogTails, Rule, contexts_of, load_rules
from fleet.errors import FleetError, OperationFailed
from fleet.events import Event, LogChunk, Notice, RankExited
from fleet.fleet import Fleet
from fleet.inventory import FaultsError
from fleet.plan import RunPlan
from fleet.private_files import write_private
from fleet.runs.messages import end_processes, left_inventory, processes_left, stop_later
from fleet.runs.nodewatch import UNREAD, NodeWatch
from fleet.runs.options import WatchOptions
from fleet.runs.printed import PrintedFigures
from fleet.runs.progress import Progress, failed
from fleet.runs.recorder import NoRecorder, Recorder
from fleet.runs.stacks import SAVED, run_stacks
from fleet.runs.stalls import StepPace, watch_stalls
from fleet.runs.store import RunStore
from fleet.runs.verdict import cause_of, node_failure, rank_failure, supervisor_failure, verdict
from fleet.runs.watch_state import Failure, NodeEnded, RankObserved, SupervisorLost, WatchState
from fleet.runs.watchdog import watch_joining
from fleet.streams import contained, merge
from fleet.telemetry import RunTelemetry, record_telemetry

#: Reading a long recording must leave the screen alive.
_BREATH = 200
#: Seconds in which another process, which also watches the run, records its end.
_RECORDED_SECONDS, _RECORDED_POLL = 10.0, 0.05
#: Seconds after which the last figures of a rank that has paused are reported.
_FIGURES_INTERVAL = 1.0

__all__ = ["WatchOptions", "watch"]


async def watch(
    fleet: Fleet,
    run: str,
    options: WatchOptions | None = None,
    *,
    history: bool = True,
    record: bool = True,
) -> AsyncGenerator[Event, None]:
    """Yield what was recorded of the run (``history``), then what happens; the last event is RunFinished.

    The first process that watches records, unless ``record`` is false; others only watch. Closing the
    iterator leaves the run alone. When a rank fails, the others are ended on all nodes. Raises NoSuchRun.
    """
    store = RunStore(fleet.home, run)
    plan = store.plan()
    progress = Progress()
    tails = LogTails(contexts_of(plan))
    printed = PrintedFigures(fleet.inventory.run.progress)
    telemetry = RunTelemetry(store.folder)
    with Recorder(store) if record else NoRecorder() as recorder:
        for number, event in enumerate(store.events(), 1):
            progress.add(event)
            telemetry.add(event)
            if isinstance(event, LogChunk):
                tails.add(event)
            printed.add(event)
            if history:
                yield event
            if number % _BREATH == 0:
                await asyncio.sleep(0)
        if progress.finished is not None:
            if not history:
                yield progress.finished
            return
        elsewhere = record and not recorder.recording
        async with AsyncExitStack() as stack:
            if recorder.recording:
                names = {part.node for part in plan.nodes}
                nodes = [node for node in fleet.nodes if node.name in names]
                await stack.enter_async_context(record_telemetry(fleet, nodes, telemetry))
            live = _Watch(fleet, plan, progress, tails, printed, options or WatchOptions()).events()
            events = await stack.enter_async_context(aclosing(live))
            async for event in events:
                notice = recorder.write(event)
                telemetry.add(event)
                yield event
                if notice is not None:
                    yield notice
    if elsewhere:
        await _until_recorded(store)


async def _until_recorded(store: RunStore) -> None:
    """Wait until the process that records the run has recorded its end as well."""
    with suppress(TimeoutError):
        async with asyncio.timeout(_RECORDED_SECONDS):
            while store.finished() is None:  # noqa: ASYNC110 -- a file of another process
                await asyncio.sleep(_RECORDED_POLL)


class _Watch:
    """The live part of a watch."""

    def __init__(
        self,
        fleet: Fleet,
        plan: RunPlan,
        progress: Progress,
        tails: LogTails,
        printed: PrintedFigures,
        options: WatchOptions,
    ) -> None:
        self._fleet = fleet
        self._plan = plan
        self._store = RunStore(fleet.home, plan.run)
        self._progress = progress
        self._options = options
        self._watch_state = WatchState()
        self._tails = tails
        self._printed = printed
        self._pace = StepPace()
        for end in progress.failures:
            self._watch_state.fail(rank_failure(end))

    async def events(self) -> AsyncGenerator[Event, None]:
        """Yield live events, the last a RunFinished."""
        ranks, options, clock = self._plan.ranks, self._options, self._fleet.clock
        sources = [
            *self._node_watches(),
            self._contained(
                watch_joining(ranks, self._progress, self._watch_state, options, clock, self._saved_stacks)
            ),
            self._contained(
                watch_stalls(
                    ranks, self._progress, self._pace, self._watch_state, options, clock, self._saved_stacks
                )
            ),
            self._contained(self._end_when_failing()),
            self._contained(self._figures_held_back()),
        ]
        async with aclosing(merge(*sources, limit=UNREAD)) as events:
            async for event in events:
                if isinstance(event, RankObserved):
                    self._progress.observe(event)
                    continue
                self._progress.add(event)
                self._pace.add(event)
                if isinstance(event, LogChunk):
                    self._tails.add(event)
                if (progressed := self._printed.add(event)) is not None:
                    self._pace.add(progressed)
                    yield progressed
                if isinstance(event, SupervisorLost):
                    self._watch_state.fail(supervisor_failure(event, self._plan.run))
                    continue
                if isinstance(event, NodeEnded):
                    self._node_ended(event)
                    if event.state in ("missing", "unreachable"):
                        yield _given_up(event, self._plan.run)
                    continue
                if isinstance(event, RankExited) and failed(event):
                    self._watch_state.fail(rank_failure(event))
                yield event
        cause: Failure | None = None
        found: Diagnosis | None = None
        exception = last_line = ""
        if self._watch_state.failures:
            rules, problem = await asyncio.to_thread(self._rules)
            if problem is not None:
                yield problem
            cause = cause_of(
                self._watch_state,
                self._progress,
                lambda rank: self._tails.lost_peer(rules, rank),
                self._tails.exception,
            )
            if cause is not None and not cause.final:
                report = self._tails.diagnose(rules, cause.rank, self._progress.exit_codes)
                found = report.found
                exception = report.exception if report.rank == cause.rank else ""
                if cause.rank is not None and self._progress.has_exit_code(cause.rank):
                    last_line = self._tails.last_line(cause.rank)
        yield verdict(
            self._plan.run, self._progress, self._watch_state, clock(), found, exception,
            cause=cause, last_line=last_line,
        )  # fmt: skip

    async def _saved_stacks(self) -> list[RankStacks]:
        """Return the stacks of all ranks, and write them to ``stacks.json`` of the run's folder."""
        answers = await run_stacks(self._fleet, self._plan)
        found = [rank for answer in answers for rank in answer.ranks]
        nodes = {answer.node: answer.ranks for answer in answers}
        with suppress(OSError):  # the report does not depend on the file
            write_private(self._store.folder / SAVED, json.dumps(nodes, indent=1))
        return found

    def _rules(self) -> tuple[Sequence[Rule], Notice | None]:
        """Return the rules; only dtui's own and a warning when the project's file is not valid."""
        try:
            return load_rules(self._fleet.inventory.project), None
        except (FaultsError, OSError, UnicodeDecodeError) as error:
            text = message(
                "run.signatures",
                "the project's configs/diagnosis.yaml is not valid, so dtui's own rules are used: {error}",
                error=error.what if isinstance(error, FaultsError) else reason_of(error),
            )
            return load_rules(), Notice(at=self._fleet.clock(), level="warning", text=text)

    def _node_watches(self) -> list[AsyncIterator[Event]]:
        watches: list[AsyncIterator[Event]] = []
        for part in self._plan.nodes:
            try:
                node = self._fleet.inventory.node(part.node)
            except KeyError:
                watches.append(self._unknown(part.node))
                continue
            if (error := self._options.apart.get(part.node)) is not None:
                watches.append(self._apart(part.node, error))
                continue
            watch = NodeWatch(
                self._fleet,
                node,
                part,
                self._plan.run,
                workdir=self._plan.workdir,
                seen=self._progress,
                watch_state=self._watch_state,
                options=self._options,
            )
            watches.append(self._contained_watch(part.node, watch.events()))
        return watches

    def _contained_watch(self, node: str, source: AsyncIterator[Event]) -> AsyncIterator[Event]:
        def failed(what: Message) -> list[Event]:
            remedy = message(
                "run.watch-broken.remedy",
                "report this error; dtui still watches the other nodes",
            )
            return [
                NodeEnded(node=node, at=self._fleet.clock(), state="unreachable", error=what, remedy=remedy)
            ]

        return contained(source, f"watching run {self._plan.run} on {node}", failed)

    def _contained(self, source: AsyncIterator[Event]) -> AsyncIterator[Event]:
        def failed(what: Message) -> list[Event]:
            return [Notice(at=self._fleet.clock(), level="error", text=what)]

        return contained(source, f"watching run {self._plan.run}", failed)

    async def _unknown(self, node: str) -> AsyncGenerator[Event, None]:
        yield NodeEnded(
            node=node,
            at=self._fleet.clock(),
            state="missing",
            error=left_inventory(),
            remedy=message(
                "run.left-inventory-watch.remedy",
                "add {node} to the inventory again to watch and stop its ranks",
                node=node,
            ),
        )

    async def _apart(self, node: str, error: FleetError) -> AsyncGenerator[Event, None]:
        at = self._fleet.clock()
        yield NodeEnded(node=node, at=at, state="unreachable", error=error.what, remedy=error.remedy)

    def _node_ended(self, event: NodeEnded) -> None:
        self._watch_state.ended[event.node] = event
        failure = node_failure(event, self._progress, self._fleet.clock())
        if failure is not None:
            self._watch_state.fail(failure)
        if len(self._watch_state.ended) == len(self._plan.nodes):
            self._watch_state.over.set()

    async def _figures_held_back(self) -> AsyncGenerator[Event, None]:
        while not self._watch_state.over.is_set():
            with suppress(TimeoutError):
                await asyncio.wait_for(self._watch_state.over.wait(), _FIGURES_INTERVAL)
            for event in self._printed.held_back():
                yield event

    async def _end_when_failing(self) -> AsyncGenerator[Event, None]:
        """Once the run has failed, end it on every node; what could not be ended becomes a Notice."""
        failing = asyncio.create_task(self._watch_state.failing.wait())
        over = asyncio.create_task(self._watch_state.over.wait())
        try:
            await asyncio.wait([failing, over], return_when=asyncio.FIRST_COMPLETED)
        finally:
            failing.cancel()
            over.cancel()
        if not self._watch_state.failing.is_set():
            return
        stops = [
            self._contained(self._end_on(part.node))
            for part in self._plan.nodes
            if part.node not in self._watch_state.ended
        ]
        async with aclosing(merge(*stops)) as events:
            async for event in events:
                yield event

    async def _end_on(self, name: str) -> AsyncGenerator[Event, None]:
        pause = self._options.retry_first
        while name not in self._watch_state.ended:
            try:
                node = self._fleet.inventory.node(name)
                link = await self._fleet.link(node)
                outcome = await link.call(
                    STOP, StopArgs(project=node.project, node=node.name, run=self._plan.run, grace=0.0)
                )
            except KeyError:
                return
            except OperationFailed as error:
                what = message("run.not-ended", "cannot end its ranks: {reason}", reason=error.what)
                yield _not_ended(name, what, self._fleet.clock())
                return
            except FleetError:
                # The node's own watch reports that it is unreachable, and when it gives up.
                await asyncio.sleep(pause)
                pause = min(pause * 2, self._options.retry_most)
                continue
            if outcome["left"]:
                yield _not_ended(name, processes_left(outcome["left"]), self._fleet.clock())
            return


def _given_up(ended: NodeEnded, run: str) -> Event:
    unreachable = ended.state == "unreachable"
    return Notice(
        node=ended.node,
        at=ended.at,
        level="error",
        text=message(
            "run.status-unknown",
            "the status of its ranks is unknown, and they may still be running: {reason}",
            reason=ended.error,
        ),
        remedy=stop_later(ended.node, run, ended.remedy) if unreachable else ended.remedy,
    )


def _not_ended(node: str, what: Message, at: float) -> Event:
    return Notice(node=node, at=at, level="error", text=what, remedy=end_processes(node))
