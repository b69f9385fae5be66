"""The environment stage: have the node make or check the Python that trains."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Any

from fleet.deploy.compare import Target
from fleet.deploy.options import DeployOptions
from fleet.deploy.reporter import Reporter
from fleet.events import EnvironmentOutput, Event
from fleet.inventory import Node
from fleet.link.client import AgentClient


async def prepare(
    link: AgentClient, node: Node, target: Target, options: DeployOptions, report: Reporter
) -> AsyncGenerator[Event, None]:
    """Yield what the node prints and tells until its environment is ready; raises FleetError."""
    async with link.request(
        "environment",
        project=target.project,
        deploy=target.deploy,
        kind=options.environment or node.environment,
        interpreter=options.interpreter or node.interpreter,
        extras=list(options.extras),
    ) as request:
        await request.end()
        async for item in request:
            if "text" in item.body:
                yield report.stamped(EnvironmentOutput(text=item.body["text"]))
            else:
                yield report.running(f"no output for {item.body['quiet']:.0f} s")
        result = request.result
    for warning in result["warnings"]:
        yield report.notice("warning", warning)
    yield report.done(_described(result))


def _described(result: dict[str, Any]) -> str:
    packages = ", ".join(f"{name} {version}" for name, version in sorted(result["packages"].items()))
    state = "unchanged: " if result["unchanged"] else ""
    return f"{state}Python {result['python']}{', ' if packages else ''}{packages} ({result['interpreter']})"
