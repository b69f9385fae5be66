"""A command is a tuple of steps, which run one after the other until one fails."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import aclosing
from functools import cached_property
from typing import Protocol

from msgspec import Struct

from agent.wire.message import Message, message
from fleet.errors import FleetError
from fleet.events import Event, Notice
from fleet.facts import NodeFacts
from fleet.fleet import Fleet
from fleet.inventory import Node
from fleet.nodeset import fold
from fleet.plan import RunPlan
from fleet.plan.project_run import plan_project_run


class Job:
    """What a command works on, and what its steps have found so far.

    ``cpu`` trains on the CPU even where there are GPUs; ``arguments`` of the program follow the inventory's.
    ``shell`` has the variables of the user's shell: those that the ranks will miss are named.
    """

    def __init__(
        self,
        fleet: Fleet,
        nodes: Sequence[Node],
        *,
        cpu: bool = False,
        arguments: tuple[str, ...] = (),
        shell: Mapping[str, str] | None = None,
    ) -> None:
        self.fleet = fleet
        self.nodes = nodes
        self.cpu = cpu
        self.arguments = arguments
        self.shell = shell or {}
        #: Node name -> its probe.
        self.facts: dict[str, NodeFacts] = {}
        #: The rendezvous port when the inventory's cannot be used.
        self.port: int | None = None
        #: Nodes whose environment failed its checks; None until it has been checked.
        self.not_ready: set[str] | None = None

    @cached_property
    def plan(self) -> RunPlan:
        """The run over the nodes as their facts are when this is first read; raises PlanError."""
        return plan_project_run(
            self.fleet.inventory,
            self.nodes,
            self.facts,
            clock=self.fleet.clock,
            cpu=self.cpu,
            arguments=self.arguments,
            shell=self.shell,
            port=self.port,
        )


class Step(Protocol):
    """One step of a command, with the options that concern it."""

    def run(self, job: Job) -> AsyncGenerator[Event, None]:
        """Yield what happens; raises StepFailed when the later steps must not run."""


class StepFailed(FleetError):
    """A step failed on the nodes that ``what`` names; its events have the reason for each."""

    def __init__(self, what: Message) -> None:
        remedy = message(
            "up.halted.remedy",
            "fix the errors above and run the command again, or exclude these nodes with --on",
        )
        super().__init__(what, remedy=remedy)


class FailedNodes(Struct, frozen=True):
    """The nodes on which a step failed, for its message."""

    count: int
    #: Number of all nodes of the job.
    total: int
    #: Names as a node set.
    names: str


async def stop_on_failures(
    job: Job,
    events: AsyncGenerator[Event, None],
    failed_node: Callable[[Event], str | None],
    reason: Callable[[FailedNodes], Message],
) -> AsyncGenerator[Event, None]:
    """Yield the events; at their end raise StepFailed with ``reason`` if nodes have failed.

    ``failed_node`` returns the node whose failure an event reports, None for other events.
    """
    failed: set[str] = set()
    async with aclosing(events):
        async for event in events:
            if (node := failed_node(event)) is not None:
                failed.add(node)
            yield event
    if failed:
        raise StepFailed(reason(FailedNodes(len(failed), len(job.nodes), fold(sorted(failed)))))


async def run_steps(job: Job, steps: Sequence[Step]) -> AsyncGenerator[Event, None]:
    """Yield the events of the steps; after one that failed, an error notice is the last event.

    Raises PlanError when the nodes can't form a run, LaunchFailed when it did not start.
    """
    for step in steps:
        try:
            async with aclosing(step.run(job)) as events:
                async for event in events:
                    yield event
        except StepFailed as failure:
            yield Notice(at=job.fleet.clock(), level="error", text=failure.what, remedy=failure.remedy)
            return
