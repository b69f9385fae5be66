"""The environment stage: have the node make or check the Python that trains."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from pathlib import Path

from agent.wire.deploy import EnvironmentArgs, EnvironmentResult
from agent.wire.message import Message, message
from agent.wire.operations import ENVIRONMENT
from fleet.deploy.compare import Target
from fleet.deploy.options import DeployOptions
from fleet.deploy.program_output import run_programs
from fleet.deploy.recipe import recipe_of
from fleet.deploy.reporter import Reporter
from fleet.events import Event
from fleet.inventory import Node, RunSettings
from fleet.link.client import AgentClient


async def prepare(
    link: AgentClient,
    node: Node,
    run: RunSettings,
    root: Path,
    target: Target,
    options: DeployOptions,
    report: Reporter,
) -> AsyncGenerator[Event, None]:
    """Yield the node's output and reports until its environment is ready; raises FleetError.

    ``root`` is the project on the master.
    """
    kind = options.environment or node.environment
    recipe = None
    if kind == "uv":
        found = await asyncio.to_thread(recipe_of, root, options.extras)
        recipe = found.recipe
        for note in found.notes:
            yield report.warning(note)
    args: EnvironmentArgs = {
        "project": target.project,
        "deploy": target.deploy,
        "kind": kind,
        "interpreter": options.interpreter or node.interpreter,
        "recipe": recipe,
        "wheelhouse": run.wheelhouse,
        "variables": run.variables(node),
        # From here the values go into the environments of the node's programs only.
        "secrets": {name: secret.reveal() for name, secret in options.secrets.items()},
    }
    async with aclosing(run_programs(link, ENVIRONMENT, args, node, report, _described)) as events:
        async for event in events:
            yield event


def _described(result: EnvironmentResult) -> Message:
    packages = {"Python": result["python"], **dict(sorted(result["packages"].items()))}
    versions = [f"{name} {version}" for name, version in packages.items()]
    interpreter = result["interpreter"]
    if result["unchanged"]:
        return message(
            "deploy.environment-unchanged",
            "unchanged: {versions} ({interpreter})",
            versions=versions,
            interpreter=interpreter,
        )
    return message(
        "deploy.environment", "{versions} ({interpreter})", versions=versions, interpreter=interpreter
    )
