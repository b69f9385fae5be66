"""One node's part of a run as events: its status, its logs and metrics, across lost links."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import aclosing

from msgspec.structs import replace

from agent.wire.message import EMPTY, Message, from_data, message
from agent.wire.operations import FOLLOW, STATUS
from agent.wire.runs import (
    FollowArgs,
    FollowedFile,
    Observed,
    RankStatus,
    RunStatus,
    StatusArgs,
    StatusItem,
)
from fleet.errors import FleetError, InvalidAnswer, LinkLost, OperationFailed
from fleet.events import (
    Event,
    LinkChanged,
    LinkState,
    LogChunk,
    MetricsSeen,
    RankExited,
    RankPhase,
    RankStarted,
)  # fmt: skip
from fleet.fleet import Fleet
from fleet.inventory import Node
from fleet.link.client import AgentClient
from fleet.plan import NodePlan
from fleet.runs.clock import clock_lead
from fleet.runs.messages import no_answer
from fleet.runs.metrics import MetricsReader, left_out_notice, metrics_file
from fleet.runs.options import WatchOptions
from fleet.runs.pieces import FollowedFiles, Piece, restart_notice
from fleet.runs.progress import Progress
from fleet.runs.watch_state import NodeEnded, RankObserved, SupervisorLost, WatchState
from fleet.streams import merge

_CONNECT_LIMIT = 60.0
#: Pieces of up to 64 KiB that wait for a slow reader, before the node waits instead.
UNREAD = 64
#: Codes of the agent's answers that do not change when it is asked again.
_HOPELESS = frozenset(["no-run", "path", "unknown-operation"])
#: The exit code of a process that ended after its supervisor: the true one is unknown.
UNKNOWN_CODE = -1


class NodeWatch:
    """Follows one node, beginning where ``seen`` ends."""

    def __init__(
        self,
        fleet: Fleet,
        node: Node,
        part: NodePlan,
        run: str,
        *,
        workdir: str,
        seen: Progress,
        watch_state: WatchState,
        options: WatchOptions,
    ) -> None:
        self._fleet = fleet
        self._node = node
        self._run = run
        self._watch_state = watch_state
        self._options = options
        self._pids = {rank: event.pid for rank, event in seen.started.items()}
        self._exited = set(seen.exited)
        #: A launcher's process represents all the ranks that it starts.
        self._ranks_of = {
            process.rank: range(process.rank, process.rank + process.ranks) for process in part.processes
        }
        folder = f".dtui/runs/{run}"
        self._logs = {f"{folder}/rank-{rank}.log": rank for rank in self._ranks_of}
        self._log_ends = {rank: seen.log_ends.get(rank, 0) for rank in self._ranks_of}
        ranks = [rank for covered in self._ranks_of.values() for rank in covered]
        self._metrics = {metrics_file(run, rank, workdir): rank for rank in ranks}
        self._readers = {rank: MetricsReader(seen.metrics_ends.get(rank, 0)) for rank in ranks}
        #: Ranks of whose metrics a part was left out; each is reported once.
        self._left_out: set[int] = set()
        self._status: RunStatus | None = None

    async def events(self) -> AsyncIterator[Event]:
        """Yield until the node's part has ended and everything it wrote has been read; last a NodeEnded."""
        pause = self._options.retry_first
        lost_at: float | None = None
        lost_since = 0.0
        supervisor_lost = False
        while True:
            try:
                async with asyncio.timeout(_CONNECT_LIMIT):
                    link = await self._fleet.link(self._node)
                    lead = await clock_lead(link, self._fleet.clock)
                if lost_at is not None and not supervisor_lost:
                    lost_at, pause = None, self._options.retry_first
                    yield self._link_changed("up")
                async with aclosing(merge(self._statuses(link), self._pieces(link), limit=UNREAD)) as items:
                    async for item in items:
                        # Only what gets here counts as read: a lost link drops what the merge still holds.
                        for event in self._events_of(item, lead):
                            yield event
            except OperationFailed as error:
                if error.code in _HOPELESS:
                    yield self._ended("missing", error.what, error.remedy)
                    return
                if isinstance(error, InvalidAnswer):
                    yield self._ended("unreachable", error.what, error.remedy)
                    return
                problem: FleetError = error
            except FleetError as error:
                problem = error
            except TimeoutError:
                problem = FleetError(no_answer(_CONNECT_LIMIT), node=self._node.name)
            else:
                if self._status is None:
                    reason = message("answer.no-status", "it ends without a status")
                    wrong = InvalidAnswer("status", reason, node=self._node.name)
                    yield self._ended("unreachable", wrong.what, wrong.remedy)
                    return
                if self._status["state"] != "lost":
                    yield self._ended(self._status["state"], from_data(self._status["error"]))
                    return
                # The watch has it stopped, which leaves a status without the supervisor: wait for that.
                gone = message("run.supervisor-gone", "its supervisor has ended unexpectedly")
                problem = FleetError(gone, node=self._node.name)
                if not supervisor_lost:
                    supervisor_lost = True
                    yield SupervisorLost(
                        node=self._node.name,
                        at=self._status["at"] - lead,
                        reason=from_data(self._status["error"]),
                    )
                    continue
            if lost_at is None:
                lost_at, lost_since = time.monotonic(), self._fleet.clock()
                yield self._link_changed(
                    "lost" if isinstance(problem, LinkLost) else "failed", problem.what, problem.remedy
                )
            if self._given_up(time.monotonic() - lost_at):
                ended = self._ended("unreachable", problem.what, problem.remedy)
                yield replace(ended, since=lost_since)
                return
            await asyncio.sleep(pause)
            pause = min(pause * 2, self._options.retry_most)

    def _given_up(self, away: float) -> bool:
        limit = self._options.unreachable_limit
        if self._watch_state.failing.is_set():
            limit = min(self._options.failing_limit, self._options.failing_limit if limit is None else limit)
        return limit is not None and away >= limit

    def _events_of(self, item: StatusItem | Piece, lead: float) -> list[Event]:
        if isinstance(item, Piece):
            return self._file_events(item)
        return self._status_events(item["status"], lead)

    # ---- status

    async def _statuses(self, link: AgentClient) -> AsyncIterator[StatusItem | Piece]:
        args = StatusArgs(project=self._node.project, node=self._node.name, run=self._run, watch=True)
        async with link.request(STATUS, args) as request:
            async for item in request:
                yield item.body

    def _status_events(self, status: RunStatus, lead: float) -> list[Event]:
        self._status = status
        return [
            event
            for rank in status["ranks"]
            for number in self._ranks_of.get(rank["rank"], ())
            for event in self._rank_events(number, rank, lead)
        ]

    def _rank_events(self, number: int, rank: RankStatus, lead: float) -> list[Event]:
        events: list[Event] = []
        if self._pids.get(number) != rank["pid"]:
            self._pids[number] = rank["pid"]
            at = rank["started_at"] - lead
            events.append(
                RankStarted(node=self._node.name, at=at, run=self._run, rank=number, pid=rank["pid"])
            )
        if rank["exited_at"] is not None and number not in self._exited:
            self._exited.add(number)
            code = UNKNOWN_CODE if rank["exit_code"] is None else rank["exit_code"]
            events.append(
                RankExited(
                    node=self._node.name,
                    at=rank["exited_at"] - lead,
                    run=self._run,
                    rank=number,
                    code=code,
                    stopped=rank["stopped"],
                    lost=rank["exit_code"] is None and not rank["stopped"],
                )
            )
        observed = rank["observed"]
        if observed is not None and rank["exited_at"] is None:
            shifted: Observed = {**observed, "since": observed["since"] - lead}
            now = self._fleet.clock()
            events.append(RankObserved(node=self._node.name, at=now, rank=number, observed=shifted))
        return events

    # ---- files

    async def _pieces(self, link: AgentClient) -> AsyncIterator[StatusItem | Piece]:
        offsets = {name: self._log_ends[rank] for name, rank in self._logs.items()}
        offsets.update({name: self._readers[rank].offset for name, rank in self._metrics.items()})
        followed = FollowedFiles(self._node.name, offsets)
        files: list[FollowedFile] = [{"file": name, "offset": offset} for name, offset in offsets.items()]
        args = FollowArgs(project=self._node.project, node=self._node.name, run=self._run, files=files)
        async with link.request(FOLLOW, args) as request:
            async for item in request:
                yield followed.piece(item)

    def _file_events(self, piece: Piece) -> list[Event]:
        name = piece.file
        if piece.restarted:
            return [self._restart(piece)]
        node, at, run = self._node.name, self._fleet.clock(), self._run
        if name in self._logs:
            rank = self._logs[name]
            # After a gap that the node's limit left, an empty chunk has the offset where the log continues.
            self._log_ends[rank] = piece.offset + len(piece.data)
            return [LogChunk(node=node, at=at, run=run, rank=rank, offset=piece.offset, data=piece.data)]
        rank = self._metrics[name]
        reader = self._readers[rank]
        events: list[Event] = []
        for record, end in reader.feed(piece.data):
            events.append(MetricsSeen(node=node, at=at, run=run, rank=rank, record=record, end=end))
            if record.kind == "phase" and record.phase:
                events.append(RankPhase(node=node, at=at, run=run, rank=rank, phase=record.phase))
        if reader.left_out and rank not in self._left_out:
            self._left_out.add(rank)
            events.append(left_out_notice(node, at, name, reader))
        return events

    def _restart(self, piece: Piece) -> Event:
        if piece.file in self._logs:
            self._log_ends[self._logs[piece.file]] = 0
        else:
            self._readers[self._metrics[piece.file]] = MetricsReader()
        return restart_notice(self._node.name, self._fleet.clock(), piece)

    # ---- the node itself

    def _link_changed(self, state: LinkState, detail: Message = EMPTY, remedy: Message = EMPTY) -> Event:
        return LinkChanged(
            node=self._node.name,
            at=self._fleet.clock(),
            state=state,
            transport=self._node.transport,
            detail=detail,
            remedy=remedy,
        )

    def _ended(self, state: str, error: Message = EMPTY, remedy: Message = EMPTY) -> NodeEnded:
        return NodeEnded(
            node=self._node.name, at=self._fleet.clock(), state=state, error=error, remedy=remedy
        )
