"""The deploy of a command, and the parts of it that a launch and a dry run do."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing

from msgspec import Struct
from msgspec.structs import replace

from agent.wire.message import message
from fleet.deploy.deploy import check_files, configure, deploy, preview
from fleet.deploy.environment_faults import check_environment
from fleet.deploy.options import Configure, DeployOptions
from fleet.events import Event, StageChanged
from fleet.node_files import node_files
from fleet.nodeset import fold
from fleet.steps import Job, StepFailed


class ProjectDeploy(Struct, frozen=True):
    """Brings project, environment and configuration of every node up to date."""

    options: DeployOptions = DeployOptions()

    async def run(self, job: Job) -> AsyncGenerator[Event, None]:
        """Yield the deploy's events; raises StepFailed and PlanError."""
        failed: set[str] = set()
        check_environment(job.fleet.inventory, job.nodes, self.options)
        options = replace(self.options, configure=_files_of(job))
        async with aclosing(_noting(failed, deploy(job.fleet, job.nodes, options))) as events:
            async for event in events:
                yield event
        if failed:
            raise StepFailed(
                message(
                    "up.deploy-failed",
                    "the deploy to {failed} of {total:n node} failed, so nothing was started: {names}",
                    failed=len(failed),
                    total=len(job.nodes),
                    names=fold(sorted(failed)),
                )
            )


class DeployDryRun(Struct, frozen=True):
    """Shows what a deploy would change."""

    options: DeployOptions = DeployOptions()

    async def run(self, job: Job) -> AsyncGenerator[Event, None]:
        """Yield each difference; raises StepFailed and PlanError."""
        failed: set[str] = set()
        check_environment(job.fleet.inventory, job.nodes, self.options)
        async with aclosing(_noting(failed, preview(job.fleet, job.nodes, self.options))) as events:
            async for event in events:
                yield event
        if failed:
            raise StepFailed(
                message(
                    "up.preview-failed",
                    "a deploy to {failed} of {total:n node} would fail: {names}",
                    failed=len(failed),
                    total=len(job.nodes),
                    names=fold(sorted(failed)),
                )
            )


class FileCheck(Struct, frozen=True):
    """Compares the nodes' files with the master's as a deploy does; ``force`` only warns of differences."""

    force: bool = False

    async def run(self, job: Job) -> AsyncGenerator[Event, None]:
        """Yield the events of the comparison; raises StepFailed."""
        failed: set[str] = set()
        async with aclosing(_noting(failed, check_files(job.fleet, job.nodes, force=self.force))) as events:
            async for event in events:
                yield event
        if failed:
            raise StepFailed(
                message(
                    "launch.other-files",
                    "{failed} of {total:n node} do not have the master's files, so nothing was started: "
                    "{names}",
                    failed=len(failed),
                    total=len(job.nodes),
                    names=fold(sorted(failed)),
                )
            )


class Configuration(Struct, frozen=True):
    """Runs the setup commands that are due, and writes every node's configuration for the run."""

    options: DeployOptions = DeployOptions()

    async def run(self, job: Job) -> AsyncGenerator[Event, None]:
        """Yield the events of each node; raises StepFailed."""
        failed: set[str] = set()
        options = replace(self.options, configure=_files_of(job))
        async with aclosing(_noting(failed, configure(job.fleet, job.nodes, options))) as events:
            async for event in events:
                yield event
        if failed:
            raise StepFailed(
                message(
                    "launch.not-configured",
                    "the configuration of {failed} of {total:n node} could not be written, so nothing was "
                    "started: {names}",
                    failed=len(failed),
                    total=len(job.nodes),
                    names=fold(sorted(failed)),
                )
            )


def _files_of(job: Job) -> Configure:
    plan = job.plan
    return lambda node: node_files(plan, node.name)


async def _noting(failed: set[str], events: AsyncGenerator[Event, None]) -> AsyncGenerator[Event, None]:
    """Yield the events, and add the nodes on which a stage failed to ``failed``."""
    async with aclosing(events):
        async for event in events:
            if isinstance(event, StageChanged) and event.state == "failed":
                failed.add(event.node)
            yield event
