"""The steps of each command, for the command line and the console."""

from __future__ import annotations

from fleet.deploy import DeployOptions
from fleet.deploy.steps import Configuration, DeployDryRun, FileCheck, ProjectDeploy
from fleet.preflight.steps import EnvironmentChecks, NodeChecks
from fleet.runs.steps import RunDryRun
from fleet.steps import Step

Steps = tuple[Step, ...]


def up(start: Step, options: DeployOptions = DeployOptions()) -> Steps:
    """Check, deploy and ``start`` a run: Launch or RunToEnd."""
    return (*deploy(options), start)


def deploy(options: DeployOptions = DeployOptions()) -> Steps:
    """Check and deploy."""
    return (NodeChecks(), ProjectDeploy(options), EnvironmentChecks())


def launch(start: Step, options: DeployOptions = DeployOptions(), *, force: bool = False) -> Steps:
    """Check and ``start`` a run of what an earlier deploy has put on the nodes.

    Refused when their files are not the master's, unless ``force`` accepts them.
    """
    return (
        NodeChecks(deployed=True),
        FileCheck(force),
        Configuration(options),
        EnvironmentChecks(files=False),
        start,
    )


def deploy_dry_run(options: DeployOptions = DeployOptions()) -> Steps:
    """Check, and show what a deploy would change."""
    return (NodeChecks(), DeployDryRun(options))


def up_dry_run(options: DeployOptions = DeployOptions()) -> Steps:
    """Check, and show what a deploy would change and what would start."""
    return (*deploy_dry_run(options), RunDryRun())


def launch_dry_run(*, force: bool = False) -> Steps:
    """Check as a launch does, and show what would start."""
    return (NodeChecks(), FileCheck(force), RunDryRun())
