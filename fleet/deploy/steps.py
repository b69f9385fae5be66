"""The deploy of a command, and the parts of it that a launch and a dry run do."""

from __future__ import annotations

from collections.abc import AsyncGenerator

from msgspec import Struct
from msgspec.structs import replace

from agent.wire.message import Message, message
from fleet.deploy.deploy import check_files, configure, deploy, preview
from fleet.deploy.environment_faults import check_environment
from fleet.deploy.options import Configure, DeployOptions
from fleet.events import Event, StageChanged
from fleet.node_files import node_files
from fleet.steps import FailedNodes, Job, stop_on_failures


class ProjectDeploy(Struct, frozen=True):
    """Brings project, environment and configuration of every node up to date."""

    options: DeployOptions = DeployOptions()

    def run(self, job: Job) -> AsyncGenerator[Event, None]:
        """Yield the deploy's events; raises StepFailed and PlanError."""
        check_environment(job.fleet.inventory, job.nodes, self.options)
        options = replace(self.options, configure=_files_of(job))
        return stop_on_failures(job, deploy(job.fleet, job.nodes, options), _failed_node, _deploy_failed)


class DeployDryRun(Struct, frozen=True):
    """Shows what a deploy would change."""

    options: DeployOptions = DeployOptions()

    def run(self, job: Job) -> AsyncGenerator[Event, None]:
        """Yield each difference; raises StepFailed and PlanError."""
        check_environment(job.fleet.inventory, job.nodes, self.options)
        events = preview(job.fleet, job.nodes, self.options)
        return stop_on_failures(job, events, _failed_node, _preview_failed)


class FileCheck(Struct, frozen=True):
    """Compares the nodes' files with the master's as a deploy does; ``force`` only warns of differences."""

    force: bool = False

    def run(self, job: Job) -> AsyncGenerator[Event, None]:
        """Yield the events of the comparison; raises StepFailed."""
        events = check_files(job.fleet, job.nodes, force=self.force)
        return stop_on_failures(job, events, _failed_node, _files_differ)


class Configuration(Struct, frozen=True):
    """Runs the setup commands that are due, and writes every node's configuration for the run."""

    options: DeployOptions = DeployOptions()

    def run(self, job: Job) -> AsyncGenerator[Event, None]:
        """Yield the events of each node; raises StepFailed."""
        options = replace(self.options, configure=_files_of(job))
        events = configure(job.fleet, job.nodes, options)
        return stop_on_failures(job, events, _failed_node, _not_configured)


def _files_of(job: Job) -> Configure:
    plan = job.plan
    return lambda node: node_files(plan, node.name)


def _failed_node(event: Event) -> str | None:
    return event.node if isinstance(event, StageChanged) and event.state == "failed" else None


def _deploy_failed(failed: FailedNodes) -> Message:
    return message(
        "up.deploy-failed",
        "the deploy to {failed} of {total:n node} failed, so nothing was started: {names}",
        failed=failed.count,
        total=failed.total,
        names=failed.names,
    )


def _preview_failed(failed: FailedNodes) -> Message:
    return message(
        "up.preview-failed",
        "a deploy to {failed} of {total:n node} would fail: {names}",
        failed=failed.count,
        total=failed.total,
        names=failed.names,
    )


def _files_differ(failed: FailedNodes) -> Message:
    return message(
        "launch.other-files",
        "{failed} of {total:n node} do not have the master's files, so nothing was started: {names}",
        failed=failed.count,
        total=failed.total,
        names=failed.names,
    )


def _not_configured(failed: FailedNodes) -> Message:
    return message(
        "launch.not-configured",
        "the configuration of {failed} of {total:n node} could not be written, so nothing was "
        "started: {names}",
        failed=failed.count,
        total=failed.total,
        names=failed.names,
    )
