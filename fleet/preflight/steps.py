"""The checks of a command: before the deploy, and after it."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing

from msgspec import Struct

from agent.wire.message import message
from fleet.events import CheckFinished, Event, NodeProbed
from fleet.nodeset import fold
from fleet.preflight.catalog import AFTER, BEFORE, checks_for, select
from fleet.preflight.options import PreflightOptions
from fleet.preflight.run import preflight
from fleet.steps import Job, StepFailed

#: A launch compares all files with the master's itself, and may be told to accept differences.
_FILES = ("code",)
_LATE = frozenset(check.name for check in select(checks_for(), AFTER))


class NodeChecks(Struct, frozen=True):
    """Checks the nodes before anything is sent, and keeps their facts in the job.

    ``deployed``: at the same time, check what an earlier deploy has put there, for EnvironmentChecks. Setup
    commands may change that, so with them it is checked after them.
    """

    deployed: bool = False

    async def run(self, job: Job) -> AsyncGenerator[Event, None]:
        """Yield the checks' events; raises StepFailed."""
        failed: set[str] = set()
        deployed = self.deployed and not job.fleet.inventory.run.setup
        not_ready: set[str] = set()
        groups = (*BEFORE, *AFTER) if deployed else BEFORE
        options = PreflightOptions(checks=groups, without=_FILES, cpu=job.cpu)
        async with aclosing(preflight(job.fleet, job.nodes, options)) as events:
            async for event in events:
                if isinstance(event, NodeProbed):
                    job.facts[event.node] = event.facts
                elif isinstance(event, CheckFinished) and event.status == "fail":
                    (not_ready if event.check in _LATE else failed).add(event.node)
                yield event
        if deployed:
            job.not_ready = not_ready
        if failed:
            raise StepFailed(
                message(
                    "up.checks-failed",
                    "{failed} of {total:n node} failed the checks, so nothing was changed: {names}",
                    failed=len(failed),
                    total=len(job.nodes),
                    names=fold(sorted(failed)),
                )
            )


class EnvironmentChecks(Struct, frozen=True):
    """Checks the deployed environments, data and configuration; ``files`` also compares the nodes' code."""

    files: bool = True

    async def run(self, job: Job) -> AsyncGenerator[Event, None]:
        """Yield the checks' events, none if NodeChecks has made these checks; raises StepFailed."""
        failed: set[str] = set()
        if job.not_ready is not None:
            failed = job.not_ready
        else:
            without = () if self.files else _FILES
            options = PreflightOptions(checks=AFTER, without=without, cpu=job.cpu, announce=False)
            async with aclosing(preflight(job.fleet, job.nodes, options)) as events:
                async for event in events:
                    if isinstance(event, CheckFinished) and event.status == "fail":
                        failed.add(event.node)
                    yield event
        if failed:
            raise StepFailed(
                message(
                    "up.late-checks-failed",
                    "{failed} of {total:n node} failed the environment checks, so nothing was started: "
                    "{names}",
                    failed=len(failed),
                    total=len(job.nodes),
                    names=fold(sorted(failed)),
                )
            )
