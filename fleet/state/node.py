"""What is known about one node."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

from msgspec import Struct, field
from msgspec.structs import replace

from agent.wire.gpu import Gpu
from agent.wire.message import EMPTY, Message
from agent.wire.preflight import Outcome
from agent.wire.telemetry import Sample
from fleet.events import (
    CheckFinished,
    CheckStatus,
    CopyProgressed,
    DeployPreview,
    EnvironmentOutput,
    Event,
    FileChange,
    LinkChanged,
    LinkState,
    NodeDeployed,
    NodeProbed,
    PairProbed,
    StageChanged,
    StageState,
    TelemetrySampled,
)  # fmt: skip
from fleet.facts import NodeFacts
from fleet.state.series import recent

STAGES = ("connect", "compare", "copy", "environment", "setup", "configure", "data")
#: Lines of the environment step and differences of a plan that a screen can show.
KEPT_LINES = 400
KEPT_CHANGES = 200


class Link(Struct, frozen=True):
    """The connection: ``state`` as in LinkChanged, or ``unknown`` before the first event."""

    state: LinkState | Literal["unknown"] = "unknown"
    transport: str = ""
    detail: Message = EMPTY
    remedy: Message = EMPTY
    latency_ms: float | None = None
    since: float = 0.0


class Check(Struct, frozen=True):
    """The newest result of one preflight check."""

    status: CheckStatus
    seen: Message
    why: Message = EMPTY
    remedy: Message = EMPTY
    at: float = 0.0


class Route(Struct, frozen=True):
    """The newest results about the connection to another node; empty and None: not measured."""

    #: Port (or ``ephemeral``) -> outcome, as in PairProbed.
    ports: Mapping[str, Outcome] = field(default_factory=dict)
    latency_ms: float | None = None
    #: The rate of bytes from the other node.
    bytes_per_second: float | None = None


class Stage(Struct, frozen=True):
    """A deploy stage with the times at which it was entered and left."""

    state: StageState | Literal["waiting"] = "waiting"
    detail: Message = EMPTY
    remedy: Message = EMPTY
    started: float | None = None
    ended: float | None = None


class Copy(Struct, frozen=True):
    """How far the copy to the node is (bytes, bytes per second, seconds)."""

    files_done: int
    files_total: int
    bytes_done: int
    bytes_total: int
    rate: float
    eta: float | None


class Plan(Struct, frozen=True):
    """What a deploy would change: totals over everything, and the first KEPT_CHANGES differences."""

    files: int = 0
    size: int = 0
    changes: tuple[FileChange, ...] = ()


class NodeState(Struct, frozen=True):
    """One node after the events so far. Mappings are never changed in place."""

    name: str
    link: Link = field(default_factory=Link)
    #: None before a probe.
    facts: NodeFacts | None = None
    checks: Mapping[str, Check] = field(default_factory=dict)
    #: Other node -> the connection to it.
    routes: Mapping[str, Route] = field(default_factory=dict)
    stages: Mapping[str, Stage] = field(default_factory=dict)
    copy: Copy | None = None
    plan: Plan = field(default_factory=Plan)
    #: The end of a dry run, until a deploy begins.
    preview: DeployPreview | None = None
    deployed: NodeDeployed | None = None
    environment: tuple[str, ...] = ()
    #: The newest telemetry sample and its time of arrival.
    sample: Sample | None = None
    sampled: float | None = None
    #: Recent utilisation in percent: of each GPU by index, and of the CPU.
    gpu_history: Mapping[int, tuple[float, ...]] = field(default_factory=dict)
    cpu_history: tuple[float, ...] = ()

    def after(self, event: Event) -> NodeState:
        """Return the node after ``event``; events of other kinds change nothing."""
        step = _STEPS.get(type(event))
        return step(self, event) if step else self

    @property
    def gpus(self) -> Sequence[Gpu]:
        """GPUs as sampled last, else as probed; empty when there are none or before both."""
        sampled = self.sample["gpus"] if self.sample else []
        return sampled or (self.facts["gpus"] if self.facts else [])

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
    # Ports and speed are in separate events.
    old = node.routes.get(event.peer, Route())
    route = Route(
        event.ports or old.ports,
        event.latency_ms if event.latency_ms is not None else old.latency_ms,
        event.bytes_per_second if event.bytes_per_second is not None else old.bytes_per_second,
    )
    return replace(node, routes={**node.routes, event.peer: route})


def begins_deploy(event: StageChanged) -> bool:
    """Return whether a deploy, or a part of one, begins on a node."""
    return event.stage == STAGES[0] and event.state == "running"


def _staged(node: NodeState, event: StageChanged) -> NodeState:
    # What the last deploy left on the screen goes.
    again = begins_deploy(event)
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
    return (
        replace(node, copy=None, plan=Plan(), preview=None, deployed=None, environment=()) if again else node
    )


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
    # A piece may end in mid-line: the next one continues it.
    head, tail = node.environment[:-1], node.environment[-1] if node.environment else ""
    lines = (tail + event.text).replace("\r\n", "\n").split("\n")
    return replace(node, environment=(*head, *lines)[-KEPT_LINES:])


def _deployed(node: NodeState, event: NodeDeployed) -> NodeState:
    return replace(node, deployed=event)


def _previewed(node: NodeState, event: DeployPreview) -> NodeState:
    return replace(node, preview=event)


def _sampled(node: NodeState, event: TelemetrySampled) -> NodeState:
    gpus = dict(node.gpu_history)
    for gpu in event.sample["gpus"]:
        index, value = gpu["index"], gpu["util"]
        if value is not None:
            gpus[index] = recent(gpus.get(index, ()), float(value))
    cpu = event.sample["cpu"]["util"]
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
    DeployPreview: _previewed,
    TelemetrySampled: _sampled,
}
