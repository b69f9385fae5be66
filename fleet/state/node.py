"""What is known about one node."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import field, replace
from typing import Any

from fleet.events import (
    CheckFinished,
    CopyProgressed,
    EnvironmentOutput,
    Event,
    FileChange,
    LinkChanged,
    NodeDeployed,
    NodeProbed,
    PairProbed,
    StageChanged,
    TelemetrySampled,
)  # fmt: skip
from fleet.frozen import frozen
from fleet.state.series import recent

STAGES = ("connect", "compare", "copy", "environment", "configure")
#: Lines of the environment step and differences of a plan that a screen can look at.
KEPT_LINES = 400
KEPT_CHANGES = 200


@frozen
class Link:
    """The connection: ``state`` as in LinkChanged, or ``unknown`` before the first event."""

    state: str = "unknown"
    transport: str = ""
    detail: str = ""
    remedy: str = ""
    latency_ms: float | None = None
    since: float = 0.0


@frozen
class Check:
    """The newest result of one preflight check."""

    status: str
    seen: str
    why: str = ""
    remedy: str = ""
    at: float = 0.0


@frozen
class Way:
    """The newest of what was learnt of the way to another node; empty and None: not looked at."""

    #: Port (or ``ephemeral``) -> outcome, as in PairProbed.
    ports: Mapping[str, str] = field(default_factory=dict)
    latency_ms: float | None = None
    #: At which bytes come from the other node.
    bytes_per_second: float | None = None


@frozen
class Stage:
    """A deploy stage with the times at which it was entered and left."""

    state: str = "waiting"
    detail: str = ""
    remedy: str = ""
    started: float | None = None
    ended: float | None = None


@frozen
class Copy:
    """How far the copy to the node is (bytes, bytes a second, seconds)."""

    files_done: int
    files_total: int
    bytes_done: int
    bytes_total: int
    rate: float
    eta: float | None


@frozen
class Plan:
    """What a deploy would change: totals over everything, and the first KEPT_CHANGES differences."""

    files: int = 0
    size: int = 0
    changes: tuple[FileChange, ...] = ()


@frozen
class NodeState:
    """One node as the events have told it so far. Mappings are never changed in place."""

    name: str
    link: Link = field(default_factory=Link)
    facts: Mapping[str, Any] = field(default_factory=dict)
    checks: Mapping[str, Check] = field(default_factory=dict)
    #: Other node -> the way there.
    ways: Mapping[str, Way] = field(default_factory=dict)
    stages: Mapping[str, Stage] = field(default_factory=dict)
    copy: Copy | None = None
    plan: Plan = field(default_factory=Plan)
    deployed: NodeDeployed | None = None
    environment: tuple[str, ...] = ()
    #: The newest telemetry sample and when it came.
    sample: Mapping[str, Any] = field(default_factory=dict)
    sampled: float | None = None
    #: Recent utilisation in percent: of each GPU by index, and of the CPU.
    gpu_history: Mapping[int, tuple[float, ...]] = field(default_factory=dict)
    cpu_history: tuple[float, ...] = ()

    def after(self, event: Event) -> NodeState:
        """Return the node as it is after ``event``; events of other kinds change nothing."""
        step = _STEPS.get(type(event))
        return step(self, event) if step else self

    @property
    def gpus(self) -> list[Mapping[str, Any]]:
        """GPUs as sampled last, else as probed; empty when there are none or nobody has looked."""
        return list(self.sample.get("gpus") or self.facts.get("gpus") or [])

    @property
    def failed_stage(self) -> tuple[str, Stage] | None:
        """The deploy stage that failed, if one did."""
        return next(((name, stage) for name, stage in self.stages.items() if stage.state == "failed"), None)


def _link(node: NodeState, event: LinkChanged) -> NodeState:
    same = node.link.state == event.state
    link = Link(
        event.state,
        event.transport or node.link.transport,
        event.detail,
        event.remedy,
        event.latency_ms if event.latency_ms is not None else node.link.latency_ms if same else None,
        node.link.since if same else event.at,
    )
    return replace(node, link=link)


def _probed(node: NodeState, event: NodeProbed) -> NodeState:
    return replace(node, facts=event.facts)


def _checked(node: NodeState, event: CheckFinished) -> NodeState:
    check = Check(event.status, event.seen, event.why, event.remedy, event.at)
    return replace(node, checks={**node.checks, event.check: check})


def _tried(node: NodeState, event: PairProbed) -> NodeState:
    # Ports and speed are told by events of their own.
    old = node.ways.get(event.peer, Way())
    way = Way(
        event.ports or old.ports,
        event.latency_ms if event.latency_ms is not None else old.latency_ms,
        event.bytes_per_second if event.bytes_per_second is not None else old.bytes_per_second,
    )
    return replace(node, ways={**node.ways, event.peer: way})


def _staged(node: NodeState, event: StageChanged) -> NodeState:
    # The first stage of a new deploy wipes what the last one left on the screen.
    again = event.stage == STAGES[0] and event.state == "running"
    stages = {} if again else node.stages
    old = stages.get(event.stage, Stage())
    running = event.state == "running"
    stage = Stage(
        event.state,
        event.detail,
        event.remedy,
        old.started if old.started is not None else event.at,
        None if running else event.at,
    )
    node = replace(node, stages={**stages, event.stage: stage})
    return replace(node, copy=None, plan=Plan(), deployed=None, environment=()) if again else node


def _copied(node: NodeState, event: CopyProgressed) -> NodeState:
    copy = Copy(
        event.files_done, event.files_total, event.bytes_done, event.bytes_total, event.rate, event.eta
    )
    return replace(node, copy=copy)


def _planned(node: NodeState, event: FileChange) -> NodeState:
    plan = node.plan
    changes = plan.changes if len(plan.changes) >= KEPT_CHANGES else (*plan.changes, event)
    size = 0 if event.action == "delete" else event.size
    return replace(node, plan=Plan(plan.files + 1, plan.size + size, changes))


def _printed(node: NodeState, event: EnvironmentOutput) -> NodeState:
    # A piece may end in mid-line: the next one goes on there.
    head, tail = node.environment[:-1], node.environment[-1] if node.environment else ""
    lines = (tail + event.text).replace("\r\n", "\n").split("\n")
    return replace(node, environment=(*head, *lines)[-KEPT_LINES:])


def _deployed(node: NodeState, event: NodeDeployed) -> NodeState:
    return replace(node, deployed=event)


def _sampled(node: NodeState, event: TelemetrySampled) -> NodeState:
    gpus = dict(node.gpu_history)
    for position, gpu in enumerate(event.sample.get("gpus") or ()):
        value = gpu.get("util")
        if value is not None:
            index = int(gpu.get("index", position))
            gpus[index] = recent(gpus.get(index, ()), float(value))
    cpu = (event.sample.get("cpu") or {}).get("util")
    history = node.cpu_history if cpu is None else recent(node.cpu_history, float(cpu))
    return replace(node, sample=event.sample, sampled=event.at, gpu_history=gpus, cpu_history=history)


_STEPS: dict[type[Event], Callable[[NodeState, Any], NodeState]] = {
    LinkChanged: _link,
    NodeProbed: _probed,
    CheckFinished: _checked,
    PairProbed: _tried,
    StageChanged: _staged,
    CopyProgressed: _copied,
    FileChange: _planned,
    EnvironmentOutput: _printed,
    NodeDeployed: _deployed,
    TelemetrySampled: _sampled,
}
