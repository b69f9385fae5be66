"""Output of the programs that prepare a node, as events."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from typing import TypeVar

from agent.wire.deploy import EnvironmentResult, OutputItem, SetupResult
from agent.wire.message import Message, from_data, message
from agent.wire.operation import Operation
from fleet.deploy.reporter import Reporter
from fleet.errors import FleetError
from fleet.events import EnvironmentOutput, Event
from fleet.inventory import Node
from fleet.link.client import AgentClient
from fleet.link.request import Request

#: Characters of output, far beyond any installation's.
_MOST_OUTPUT = 32 << 20
A = TypeVar("A")
R = TypeVar("R", EnvironmentResult, SetupResult)


async def run_programs(
    link: AgentClient,
    operation: Operation[A, None, OutputItem, R],
    args: A,
    node: Node,
    report: Reporter,
    described: Callable[[R], Message],
) -> AsyncGenerator[Event, None]:
    """Yield the output of the programs, the warnings, and that the stage is done; raises FleetError."""
    async with link.request(operation, args) as request:
        await request.end()
        async with aclosing(_relayed(request, node, report)) as events:
            async for event in events:
                yield event
        result = request.result
    for warning in result["warnings"]:
        yield report.warning(from_data(warning))
    yield report.done(described(result))


async def _relayed(
    request: Request[A, None, OutputItem, R], node: Node, report: Reporter
) -> AsyncGenerator[Event, None]:
    """Yield the output and the silences of a request until its end; raises FleetError for too much output."""
    printed = 0
    async for item in request:
        text, quiet = item.body["text"], item.body["quiet"]
        if text is not None:
            printed += len(text)
            if printed > _MOST_OUTPUT:
                raise FleetError(
                    message(
                        "deploy.too-much-output",
                        "the environment step printed more than {size:bytes} and was stopped",
                        size=_MOST_OUTPUT,
                    ),
                    node=node.name,
                    remedy=message(
                        "deploy.too-much-output.remedy",
                        "run the installation manually on {node} to find the repeated output",
                        node=node.name,
                    ),
                )
            yield report.stamped(EnvironmentOutput(text=text))
        elif quiet is not None:
            yield report.running(message("deploy.quiet", "no output for {seconds:duration}", seconds=quiet))
