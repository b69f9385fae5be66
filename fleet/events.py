"""What happens to a fleet, as frozen values: the events of all operations.

The console reduces them to a state, the command line prints them, and a run keeps them as JSON lines, so
that it can be replayed. Texts for the user are messages, which are translated where they are shown.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from msgspec import Struct

from agent.wire.message import EMPTY, Message
from agent.wire.preflight import Outcome
from agent.wire.runs import RankStacks
from agent.wire.telemetry import Sample
from fleet.facts import NodeFacts
from fleet.launch_method import LaunchMethod
from fleet.metrics_record import MetricsRecord

LinkState = Literal["connecting", "up", "lost", "failed", "closed"]
CheckStatus = Literal["ok", "warn", "fail", "skip"]
StageName = Literal["connect", "compare", "copy", "environment", "setup", "configure", "data"]
StageState = Literal["running", "done", "failed", "skipped"]
FileAction = Literal["add", "replace", "delete"]
MetricsSource = Literal["file", "output"]
RunOutcome = Literal["succeeded", "failed", "stopped"]
Level = Literal["info", "warning", "error"]


class Event(Struct, frozen=True, kw_only=True, tag=True, tag_field="event"):
    """Something that happened to ``node`` (empty: the whole fleet), ``at`` Unix seconds of the master."""

    node: str = ""
    at: float = 0.0


class LinkChanged(Event, frozen=True, kw_only=True):
    """The connection to a node changed."""

    state: LinkState
    transport: str = ""
    detail: Message = EMPTY
    remedy: Message = EMPTY
    #: Round trip in milliseconds, when ``state`` is up.
    latency_ms: float | None = None


class NodeProbed(Event, frozen=True, kw_only=True):
    """The node has reported its facts."""

    facts: NodeFacts


class CheckFinished(Event, frozen=True, kw_only=True):
    """A preflight check has a result: ``seen`` has the reason of a skip."""

    check: str
    status: CheckStatus
    seen: Message
    why: Message = EMPTY
    remedy: Message = EMPTY


class PairProbed(Event, frozen=True, kw_only=True):
    """A preflight's results about the connection from ``node`` to ``peer``; None and empty: not measured."""

    peer: str
    #: Port (or ``ephemeral``) -> outcome of the connection attempt.
    ports: Mapping[str, Outcome] = {}
    #: Round trip, and the rate from ``peer`` to ``node``.
    latency_ms: float | None = None
    bytes_per_second: float | None = None


class StageChanged(Event, frozen=True, kw_only=True):
    """A deploy stage has started or ended."""

    stage: StageName
    state: StageState
    detail: Message = EMPTY
    remedy: Message = EMPTY


class CopyProgressed(Event, frozen=True, kw_only=True):
    """How far a copy to a node is; ``rate`` is bytes per second, ``eta`` seconds, None while unknown."""

    files_done: int
    files_total: int
    bytes_done: int
    bytes_total: int
    rate: float = 0.0
    eta: float | None = None


class FileChange(Event, frozen=True, kw_only=True):
    """One difference of a deploy's plan: ``size`` in bytes."""

    path: str
    action: FileAction
    size: int


class EnvironmentOutput(Event, frozen=True, kw_only=True):
    """A piece of what the environment step (uv) printed."""

    text: str


class NodeDeployed(Event, frozen=True, kw_only=True):
    """The deploy to one node ended; when not ``ok``, its old tree is whole."""

    ok: bool
    files_sent: int = 0
    bytes_sent: int = 0
    detail: Message = EMPTY
    remedy: Message = EMPTY


class DeployPreview(Event, frozen=True, kw_only=True):
    """What a deploy to the node would change; a dry run ends with it."""

    files_to_send: int = 0
    bytes_to_send: int = 0
    files_to_delete: int = 0
    #: Files with the right contents whose time stamp or executable bit would change.
    files_to_adjust: int = 0


class RankPlan(Struct, frozen=True, kw_only=True):
    """One process of a run: its number in the world and on its node."""

    node: str
    rank: int
    local_rank: int


class RunPlanned(Event, frozen=True, kw_only=True):
    """A run was planned: the node of each rank, and the rendezvous."""

    run: str
    world_size: int
    master_address: str
    master_port: int
    ranks: tuple[RankPlan, ...]
    method: LaunchMethod = "ranks"
    command: str = ""
    #: Node -> text of its Accelerate configuration.
    configs: Mapping[str, str] = {}
    #: Digests of the configuration and code on the master; empty in recordings from before they were kept.
    config_digest: str = ""
    code_digest: str = ""


class RunPreview(Event, frozen=True, kw_only=True):
    """The run that would start, as a dry run shows it; the fields are those of RunPlanned."""

    world_size: int
    master_address: str
    master_port: int
    ranks: tuple[RankPlan, ...]
    method: LaunchMethod = "ranks"
    command: str = ""
    configs: Mapping[str, str] = {}


class RankStarted(Event, frozen=True, kw_only=True):
    """A rank's process runs on its node."""

    run: str
    rank: int
    pid: int


class RankPhase(Event, frozen=True, kw_only=True):
    """The training program reported its phase.

    ``phase`` is starting, importing, joining, joined, training, saving, sampling or done.
    """

    run: str
    rank: int
    phase: str


class RankExited(Event, frozen=True, kw_only=True):
    """A rank's process has ended: ``code`` is as the node's system reports it."""

    run: str
    rank: int
    code: int
    #: True when dtui ended it (a stop, or because another rank had failed).
    stopped: bool = False
    #: True when it ended with its supervisor or its machine: nobody knows its code then, and ``code`` is -1.
    lost: bool = False


class LogChunk(Event, frozen=True, kw_only=True):
    """Bytes of a rank's output at ``offset`` of its log file; cut anywhere, not decoded."""

    run: str
    rank: int
    offset: int
    data: bytes


class MetricsSeen(Event, frozen=True, kw_only=True):
    """One record of a rank's ``metrics_*.jsonl``, or what the rank printed about its progress."""

    run: str
    rank: int
    record: MetricsRecord
    #: Where the record ends in its file (the log, for ``output``): from there a later console reads on.
    end: int = 0
    source: MetricsSource = "file"


class TelemetrySampled(Event, frozen=True, kw_only=True):
    """A sample of a node's load."""

    sample: Sample


class RunFinished(Event, frozen=True, kw_only=True):
    """A run ended; ``cause`` names the earliest failure."""

    run: str
    outcome: RunOutcome
    cause: Message = EMPTY
    remedy: Message = EMPTY


class PlanDrawn(Event, frozen=True, kw_only=True):
    """The network of a run has drawn a plan for a text: a PNG at ``path`` on the master."""

    run: str
    text: str
    path: str


class StacksRead(Event, frozen=True, kw_only=True):
    """The Python stacks of a run's ranks on a node, or the reason why there are none.

    ``saved``: they were saved ``at`` this time, when dtui last found that the run made no progress.
    """

    run: str
    ranks: tuple[RankStacks, ...] = ()
    error: Message = EMPTY
    remedy: Message = EMPTY
    saved: bool = False


class Notice(Event, frozen=True, kw_only=True):
    """A notice for the user."""

    level: Level
    text: Message
    remedy: Message = EMPTY
