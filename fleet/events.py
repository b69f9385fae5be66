"""What happens to a fleet, as frozen values: the one language of operations, screens and files.

Every operation yields these. The console reduces them to a state, the command line prints them and a
run keeps them as JSON lines, so that it can be replayed.
"""

from __future__ import annotations

import base64
import dataclasses
import json
from dataclasses import field
from typing import Any, ClassVar

from fleet.frozen import frozen

JSONDict = dict[str, Any]


@frozen(kw_only=True)
class Event:
    """Something that happened to ``node`` (empty: the whole fleet), ``at`` Unix seconds of the master."""

    node: str = ""
    at: float = 0.0


@frozen(kw_only=True)
class LinkChanged(Event):
    """The connection to a node changed: ``state`` is connecting, up, lost, failed or closed."""

    state: str
    transport: str = ""
    detail: str = ""
    remedy: str = ""
    #: Round trip in milliseconds, when ``state`` is up.
    latency_ms: float | None = None


@frozen(kw_only=True)
class NodeProbed(Event):
    """The node told its facts (the agent's ``probe``: os, cpu, ram, disk, python, gpus, adapters)."""

    facts: JSONDict


@frozen(kw_only=True)
class CheckFinished(Event):
    """A preflight check has a result: ``status`` is ok, warn, fail or skip (with the reason in ``seen``)."""

    check: str
    status: str
    seen: str
    why: str = ""
    remedy: str = ""


@frozen(kw_only=True)
class PairProbed(Event):
    """What a preflight learnt of the way from ``node`` to ``peer``; None and empty: not looked at."""

    peer: str
    #: Port (or ``ephemeral``) -> open, refused, dropped, unreachable, silent, foreign or error.
    ports: JSONDict = field(default_factory=dict)
    #: Round trip, and the rate at which bytes come from ``peer`` to ``node``.
    latency_ms: float | None = None
    bytes_per_second: float | None = None


@frozen(kw_only=True)
class StageChanged(Event):
    """A deploy stage (connect, compare, copy, environment, configure) is running, done, failed or skipped."""

    stage: str
    state: str
    detail: str = ""
    remedy: str = ""


@frozen(kw_only=True)
class CopyProgressed(Event):
    """How far a copy to a node is; ``rate`` is bytes a second, ``eta`` seconds, None while unknown."""

    files_done: int
    files_total: int
    bytes_done: int
    bytes_total: int
    rate: float = 0.0
    eta: float | None = None


@frozen(kw_only=True)
class FileChange(Event):
    """One difference of a deploy's plan: ``action`` is add, replace or delete; ``size`` in bytes."""

    path: str
    action: str
    size: int


@frozen(kw_only=True)
class EnvironmentOutput(Event):
    """A piece of what the environment step (uv) printed."""

    text: str


@frozen(kw_only=True)
class NodeDeployed(Event):
    """The deploy to one node ended; when not ``ok``, its old tree is whole."""

    ok: bool
    files_sent: int = 0
    bytes_sent: int = 0
    detail: str = ""
    remedy: str = ""


@frozen(kw_only=True)
class RankPlan:
    """One process of a run: its number in the world and on its node."""

    node: str
    rank: int
    local_rank: int


@frozen(kw_only=True)
class RunPlanned(Event):
    """A run was laid out: who is which rank, and where they meet."""

    run: str
    world_size: int
    master_address: str
    master_port: int
    ranks: tuple[RankPlan, ...]
    #: ``ranks`` or ``accelerate`` (see the launch method).
    method: str = "ranks"
    command: str = ""
    #: What ``dtui up --dry-run`` and the console show of each node: node -> config file text.
    configs: JSONDict = field(default_factory=dict)
    #: Digests of the configuration and code on the master; empty in recordings from before they were kept.
    config_digest: str = ""
    code_digest: str = ""


@frozen(kw_only=True)
class RankStarted(Event):
    """A rank's process runs on its node."""

    run: str
    rank: int
    pid: int


@frozen(kw_only=True)
class RankPhase(Event):
    """The training program told where it is.

    ``phase`` is starting, importing, joining, joined, training, saving, sampling or done.
    """

    run: str
    rank: int
    phase: str


@frozen(kw_only=True)
class RankExited(Event):
    """A rank's process ended by itself or was ended: ``code`` as the node's system gives it."""

    run: str
    rank: int
    code: int
    #: True when dtui ended it (a stop, or because another rank had failed).
    stopped: bool = False


@frozen(kw_only=True)
class LogChunk(Event):
    """Bytes of a rank's output at ``offset`` of its log file; cut anywhere, not decoded."""

    run: str
    rank: int
    offset: int
    data: bytes


@frozen(kw_only=True)
class MetricsSeen(Event):
    """One record of a rank's ``metrics_*.jsonl`` (kinds phase, step, ckpt, eval, heartbeat, exit)."""

    run: str
    rank: int
    record: JSONDict
    #: Where the record ends in its file: from there a later console reads on.
    end: int = 0


@frozen(kw_only=True)
class TelemetrySampled(Event):
    """A node's load: the agent's ``telemetry`` sample (gpus, cpu, ram, network), every field may be None."""

    sample: JSONDict


@frozen(kw_only=True)
class RunFinished(Event):
    """A run ended: ``outcome`` is succeeded, failed or stopped; ``cause`` names the earliest failure."""

    run: str
    outcome: str
    cause: str = ""
    remedy: str = ""


@frozen(kw_only=True)
class PlanDrawn(Event):
    """The network of a run has drawn a plan for a text: a PNG at ``path`` on the master."""

    run: str
    text: str
    path: str


@frozen(kw_only=True)
class Notice(Event):
    """Something that a person should know: ``level`` is info, warning or error."""

    level: str
    text: str
    remedy: str = ""


_KINDS: dict[str, type[Event]] = {
    kind.__name__: kind
    for kind in (
        LinkChanged, NodeProbed, CheckFinished, PairProbed, StageChanged, CopyProgressed, FileChange,
        EnvironmentOutput, NodeDeployed, RunPlanned, RankStarted, RankPhase, RankExited, LogChunk,
        MetricsSeen, TelemetrySampled, RunFinished, PlanDrawn, Notice,
    )
}  # fmt: skip


class EventFormatError(ValueError):
    """A stored line is not an event that this version knows."""


class _Encoder(json.JSONEncoder):
    BYTES: ClassVar[str] = "base64"

    def default(self, o: Any) -> Any:
        if isinstance(o, bytes):
            return {self.BYTES: base64.b64encode(o).decode("ascii")}
        return super().default(o)


def to_json(event: Event) -> str:
    """Return the event as one line of JSON with its class name under ``event``."""
    # `asdict` would deep-copy nested records for nothing; plans are the only nested dataclasses.
    fields: JSONDict = {"event": type(event).__name__}
    for spec in dataclasses.fields(event):
        value = getattr(event, spec.name)
        if isinstance(value, tuple):
            value = [dataclasses.asdict(item) if dataclasses.is_dataclass(item) else item for item in value]  # type: ignore[arg-type]
        fields[spec.name] = value
    return json.dumps(fields, cls=_Encoder, ensure_ascii=False, separators=(",", ":"))


def from_json(line: str) -> Event:
    """Return the event that :func:`to_json` wrote; raises EventFormatError. Unknown keys are left out."""
    try:
        fields = json.loads(line)
        kind = _KINDS[fields.pop("event")]
    except (ValueError, KeyError, AttributeError) as error:
        raise EventFormatError(f"not an event: {line[:80]!r} ({error})") from None
    known = {spec.name for spec in dataclasses.fields(kind)}
    values = {name: _value(name, value) for name, value in fields.items() if name in known}
    try:
        return kind(**values)
    except TypeError as error:
        raise EventFormatError(f"{kind.__name__} is incomplete: {error}") from None


def _value(name: str, value: Any) -> Any:
    if isinstance(value, dict) and set(value) == {_Encoder.BYTES}:
        return base64.b64decode(value[_Encoder.BYTES])
    if name == "ranks":
        return tuple(RankPlan(**item) for item in value)
    return value
