"""Starts all parts of a run concurrently, and ends them if one can't start."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Mapping
from contextlib import suppress
from typing import Any, TypeVar

from agent.wire.message import EMPTY, Message, message
from agent.wire.operations import START, STOP
from agent.wire.runs import RankProcess, RankStatus, StartArgs, StopArgs
from fleet.errors import FleetError, InvalidAnswer, OperationFailed
from fleet.events import Event, Notice, RankStarted, RunFinished
from fleet.fleet import Fleet
from fleet.internal_errors import internal_error
from fleet.inventory import Node
from fleet.link.client import AgentClient
from fleet.plan import NodePlan, RunPlan
from fleet.runs.clock import clock_lead
from fleet.runs.messages import end_processes, no_answer, processes_left
from fleet.runs.options import LaunchOptions

_ROLLBACK_LIMIT = 30.0
_WINDOWS_START_SECONDS = 240.0
T = TypeVar("T")


class GangStart:
    """One attempt to start all parts of a run."""

    def __init__(
        self, fleet: Fleet, plan: RunPlan, nodes: Mapping[str, Node], options: LaunchOptions
    ) -> None:
        self._fleet = fleet
        self._plan = plan
        self._nodes = nodes
        self._options = options
        #: Whether another run is the only reason for which this one did not start.
        self.refused = False

    async def run(self) -> list[Event]:
        """Return RankStarted of all ranks; or what failed on which node, and last a RunFinished."""
        # Nothing is started before every node answers.
        links, failures = await _all({name: self._fleet.link(node) for name, node in self._nodes.items()})
        if not failures:
            parts = {part.node: self._start(links[part.node], part) for part in self._plan.nodes}
            # A node that is about to start is waited for in any case: it could not be stopped before that.
            starting = asyncio.ensure_future(_all(parts))
            try:
                started, failures = await asyncio.shield(starting)
            except BaseException:
                # Most likely the console is quitting before all ranks have started.
                await asyncio.shield(self._undo(starting))
                raise
            self.refused = bool(failures) and all(_is_refusal(error) for error in failures.values())
            if not failures:
                ranks = [event for events in started.values() for event in events]
                ranks.sort(key=lambda event: event.rank)
                return list(ranks)
            return [*self._failed(failures), *await self._roll_back(), self._finished(failures)]
        return [*self._failed(failures), self._finished(failures)]

    async def _start(self, link: AgentClient, part: NodePlan) -> list[RankStarted]:
        node = self._nodes[part.node]
        lead = await clock_lead(link, self._fleet.clock)
        # On Windows up to three methods to detach the supervisor are tried.
        seconds = _WINDOWS_START_SECONDS if link.platform == "win32" else None
        args = StartArgs(
            project=node.project,
            run=self._plan.run,
            node=part.node,
            interpreter=node.interpreter,
            grace=self._options.grace,
            force=self._options.force,
            # From here the values go into the ranks' environments only.
            secrets={name: secret.reveal() for name, secret in self._options.secrets.items()},
            ranks=[
                {
                    "rank": process.rank,
                    "local_rank": process.local_rank,
                    "argv": list(process.argv),
                    "env": process.env,
                }
                for process in part.processes
            ],
            variables=part.variables,
            workdir=self._plan.workdir,
        )
        if not self._fleet.inventory.run.observe:
            args["observe"] = False
        if (limit := self._fleet.inventory.run.log_limit) is not None:
            args["log_limit"] = limit
        status = await link.call(START, args, seconds=seconds)
        if sorted(rank["rank"] for rank in status["ranks"]) != [process.rank for process in part.processes]:
            reason = message("answer.other-ranks", "it lists other ranks than those started")
            raise InvalidAnswer("start", reason, node=part.node)
        return [event for rank in status["ranks"] for event in self._rank_events(part, rank, lead)]

    def _rank_events(self, part: NodePlan, rank: RankStatus, lead: float) -> list[RankStarted]:
        covered = next(process.ranks for process in part.processes if process.rank == rank["rank"])
        return [
            RankStarted(
                node=part.node,
                at=rank["started_at"] - lead,
                run=self._plan.run,
                rank=number,
                pid=rank["pid"],
            )
            for number in range(rank["rank"], rank["rank"] + covered)
        ]

    async def _undo(self, starting: asyncio.Future[Any]) -> None:
        with suppress(Exception):
            async with asyncio.timeout(_ROLLBACK_LIMIT):
                await starting
        await self._roll_back()

    async def _roll_back(self) -> list[Event]:
        """End the run on all nodes that may have started it; return a Notice for each unconfirmed one."""
        done, failures = await _all({name: self._end(node) for name, node in self._nodes.items()})
        notices = [
            self._notice(
                name,
                message("run.may-still-run", "its ranks may still be running: {reason}", reason=error.what),
                message("run.may-still-run.remedy", "run `dtui stop {run}`", run=self._plan.run),
            )
            for name, error in failures.items()
        ]
        for name, left in done.items():
            if left:
                notices.append(self._notice(name, processes_left(left), end_processes(name)))
        return notices

    async def _end(self, node: Node) -> list[RankProcess]:
        try:
            async with asyncio.timeout(_ROLLBACK_LIMIT):
                link = await self._fleet.link(node)
                outcome = await link.call(
                    STOP, StopArgs(project=node.project, node=node.name, run=self._plan.run, grace=0.0)
                )
        except TimeoutError:
            raise FleetError(no_answer(_ROLLBACK_LIMIT), node=node.name) from None
        except OperationFailed as error:
            if error.code in ("no-run", "path"):
                return []
            raise
        return list(outcome["left"])

    def _failed(self, failures: Mapping[str, FleetError]) -> list[Event]:
        return [self._notice(name, error.what, error.remedy) for name, error in failures.items()]

    def _notice(self, node: str, text: Message, remedy: Message = EMPTY) -> Event:
        return Notice(node=node, at=self._fleet.clock(), level="error", text=text, remedy=remedy)

    def _finished(self, failures: Mapping[str, FleetError]) -> Event:
        name, error = next(iter(failures.items()))
        return RunFinished(
            at=self._fleet.clock(),
            run=self._plan.run,
            outcome="failed",
            cause=message(
                "run.start-failed",
                "{node} failed to start its ranks: {reason}",
                node=name,
                reason=error.what,
            ),
            remedy=error.remedy,
        )


def _is_refusal(error: FleetError) -> bool:
    return isinstance(error, OperationFailed) and error.code == "busy"


async def _all(jobs: Mapping[str, Awaitable[T]]) -> tuple[dict[str, T], dict[str, FleetError]]:
    """Run the named coroutines concurrently; return results and failures by name, the first failure first."""
    results: dict[str, T] = {}
    failures: dict[str, FleetError] = {}

    async def run(name: str, job: Awaitable[T]) -> None:
        try:
            results[name] = await job
        except FleetError as error:
            failures[name] = error
        except Exception as error:  # noqa: BLE001 -- one node's fault must not interrupt the others' start
            failures[name] = FleetError(internal_error(error, f"starting on {name}"), node=name)

    async with asyncio.TaskGroup() as tasks:
        for name, job in jobs.items():
            tasks.create_task(run(name, job))
    return results, failures
