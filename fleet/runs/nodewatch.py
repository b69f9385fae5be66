"""One node's part of a run as events: its status, its logs and metrics, across lost links."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import aclosing
from typing import Any

from fleet.errors import FleetError, LinkLost, OperationFailed
from fleet.events import (
    Event,
    LinkChanged,
    LogChunk,
    MetricsSeen,
    Notice,
    RankExited,
    RankPhase,
    RankStarted,
)  # fmt: skip
from fleet.fleet import Fleet
from fleet.inventory import Node
from fleet.link.client import AgentClient, Item
from fleet.plan import NodePlan
from fleet.runs.clock import clock_lead
from fleet.runs.gang import Gang, NodeEnded, SupervisorLost
from fleet.runs.metrics import MetricsReader, metrics_file
from fleet.runs.options import WatchOptions
from fleet.runs.progress import Progress
from fleet.streams import merge

_CONNECT_LIMIT = 60.0
#: Pieces of up to 64 KiB that wait for a slow reader, before the node waits instead.
UNREAD = 64
#: What the agent says of a run that it can't know, however often it is asked.
_HOPELESS = frozenset(["no-run", "path", "unknown-operation"])
#: The exit code of a process that was ended after its supervisor had gone: nobody learned the true one.
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
        seen: Progress,
        gang: Gang,
        options: WatchOptions,
    ) -> None:
        self._fleet = fleet
        self._node = node
        self._run = run
        self._gang = gang
        self._options = options
        self._pids = {rank: event.pid for rank, event in seen.started.items()}
        self._exited = set(seen.exited)
        #: A launcher's process stands for all the ranks that it starts.
        self._ranks_of = {
            process.rank: range(process.rank, process.rank + process.ranks) for process in part.processes
        }
        folder = f".dtui/runs/{run}"
        self._logs = {f"{folder}/rank-{rank}.log": rank for rank in self._ranks_of}
        self._log_ends = {rank: seen.log_ends.get(rank, 0) for rank in self._ranks_of}
        ranks = [rank for covered in self._ranks_of.values() for rank in covered]
        self._metrics = {metrics_file(run, rank): rank for rank in ranks}
        self._readers = {rank: MetricsReader(seen.metrics_ends.get(rank, 0)) for rank in ranks}
        self._status: Mapping[str, Any] = {}

    async def events(self) -> AsyncIterator[Event]:
        """Yield until the node's part has ended and everything it wrote has been read; last a NodeEnded."""
        pause = self._options.retry_first
        lost_at: float | None = None
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
                problem: FleetError = error
            except FleetError as error:
                problem = error
            except TimeoutError:
                problem = FleetError(f"no answer within {_CONNECT_LIMIT:.0f} s", node=self._node.name)
            else:
                if self._status["state"] != "lost":
                    yield self._ended(str(self._status["state"]), str(self._status["error"]))
                    return
                # The watch has it stopped, which leaves a status without the supervisor: wait for that.
                problem = FleetError("its supervisor is gone", node=self._node.name)
                if not supervisor_lost:
                    supervisor_lost = True
                    yield SupervisorLost(node=self._node.name, at=self._fleet.clock())
                    continue
            if lost_at is None:
                lost_at = time.monotonic()
                yield self._link_changed(
                    "lost" if isinstance(problem, LinkLost) else "failed", problem.what, problem.remedy
                )
            if self._given_up(time.monotonic() - lost_at):
                yield self._ended("unreachable", problem.what, problem.remedy)
                return
            await asyncio.sleep(pause)
            pause = min(pause * 2, self._options.retry_most)

    def _given_up(self, away: float) -> bool:
        limit = self._options.unreachable_limit
        if self._gang.failing.is_set():
            limit = min(self._options.failing_limit, self._options.failing_limit if limit is None else limit)
        return limit is not None and away >= limit

    def _events_of(self, item: Item, lead: float) -> list[Event]:
        if "status" in item.body:
            return self._status_events(item.body["status"], lead)
        return self._file_events(item)

    # ---- status

    async def _statuses(self, link: AgentClient) -> AsyncIterator[Item]:
        args = {"project": self._node.project, "run": self._run, "watch": True}
        async with link.request("status", **args) as request:
            async for item in request:
                yield item

    def _status_events(self, status: Mapping[str, Any], lead: float) -> list[Event]:
        self._status = status
        return [
            event
            for rank in status["ranks"]
            for number in self._ranks_of.get(rank["rank"], ())
            for event in self._rank_events(number, rank, lead)
        ]

    def _rank_events(self, number: int, rank: Mapping[str, Any], lead: float) -> list[Event]:
        events: list[Event] = []
        if self._pids.get(number) != rank["pid"]:
            self._pids[number] = rank["pid"]
            at = rank["started_at"] - lead
            events.append(
                RankStarted(node=self._node.name, at=at, run=self._run, rank=number, pid=rank["pid"])
            )
        if rank["exited_at"] is not None and number not in self._exited:
            self._exited.add(number)
            code = UNKNOWN_CODE if rank["exit_code"] is None else int(rank["exit_code"])
            events.append(
                RankExited(
                    node=self._node.name,
                    at=rank["exited_at"] - lead,
                    run=self._run,
                    rank=number,
                    code=code,
                    stopped=bool(rank["stopped"]),
                )
            )
        return events

    # ---- files

    async def _pieces(self, link: AgentClient) -> AsyncIterator[Item]:
        files = [{"file": name, "offset": self._log_ends[rank]} for name, rank in self._logs.items()]
        files += [
            {"file": name, "offset": self._readers[rank].offset} for name, rank in self._metrics.items()
        ]
        args = {"project": self._node.project, "run": self._run, "files": files}
        async with link.request("follow", **args) as request:
            async for item in request:
                yield item

    def _file_events(self, item: Item) -> list[Event]:
        name, offset = item.body["file"], item.body["offset"]
        if why := item.body.get("restarted"):
            return [self._restart(name, why)]
        node, at, run = self._node.name, self._fleet.clock(), self._run
        if name in self._logs:
            rank = self._logs[name]
            self._log_ends[rank] = offset + len(item.payload)
            return [LogChunk(node=node, at=at, run=run, rank=rank, offset=offset, data=item.payload)]
        rank = self._metrics[name]
        events: list[Event] = []
        for record, end in self._readers[rank].feed(item.payload):
            events.append(MetricsSeen(node=node, at=at, run=run, rank=rank, record=record, end=end))
            if record.get("kind") == "phase" and isinstance(record.get("phase"), str):
                events.append(RankPhase(node=node, at=at, run=run, rank=rank, phase=record["phase"]))
        return events

    def _restart(self, name: str, why: str) -> Event:
        if name in self._logs:
            self._log_ends[self._logs[name]] = 0
        else:
            self._readers[self._metrics[name]] = MetricsReader()
        return Notice(
            node=self._node.name,
            at=self._fleet.clock(),
            level="warning",
            text=f"{name} was {why} on the node; it is read again from its beginning",
        )

    # ---- the node itself

    def _link_changed(self, state: str, detail: str = "", remedy: str = "") -> Event:
        return LinkChanged(
            node=self._node.name,
            at=self._fleet.clock(),
            state=state,
            transport=self._node.transport,
            detail=detail,
            remedy=remedy,
        )

    def _ended(self, state: str, error: str = "", remedy: str = "") -> Event:
        return NodeEnded(
            node=self._node.name, at=self._fleet.clock(), state=state, error=error, remedy=remedy
        )
