"""Every observation that checks are evaluated from: its name and the type of its value.

Each observation is declared once, here; mypy finds an evaluator that misspells its name or one of its keys.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Generic, Literal, TypedDict, TypeVar, cast

from msgspec import Struct

from agent.wire.frames import Hello
from agent.wire.mesh import Attempt, OpenedPort
from agent.wire.message import EMPTY, Message, message
from agent.wire.preflight import Conditions, FolderDigest, NetprobeResult, PortcheckResult, TrialResult
from fleet.errors import FleetError, OperationFailed
from fleet.facts import NodeFacts
from fleet.internal_errors import internal_error

T = TypeVar("T")

#: What must work, in this order, before a node can be observed.
ChainLink = Literal["reach", "login", "python", "agent"]

#: The remedy for a node that does not respond in time.
BUSY = message("preflight.busy.remedy", "check the load and the disk of the node, then retry")
RUN_NOT_PLANNED = message("preflight.run-not-planned", "the run cannot be planned")
REPORT = message("preflight.internal-error.remedy", "report this fault in dtui, with the text of this check")
#: The agent's codes for an unexpected exception, and for a request or an answer that is not valid.
_INTERNAL = ("internal", "filesystem", "bad-request", "unknown-operation", "invalid-answer")


class ClockReading(Struct, frozen=True):
    """How far the node's clock is ahead of the master's, and half the time that reading it took; seconds."""

    offset: float
    uncertainty: float


class LinkUp(Struct, frozen=True):
    """The agent responds; ``source`` is the node's address on its route to the master, None without one."""

    hello: Hello
    latency_ms: float
    clock: ClockReading
    source: str | None


class LinkFailed(Struct, frozen=True):
    """The link could not be made; ``cause`` is the class of the transport's error, empty without one."""

    failed_step: ChainLink
    cause: str
    what: Message
    remedy: Message


class MeshObservation(TypedDict):
    """Where a node listens, and how it connected to the others' ports, by the column of the port."""

    address: str
    trains: bool
    listening: dict[str, OpenedPort]
    reaches: dict[str, dict[str, Attempt]]


class LinkSpeed(TypedDict):
    """A route's round trip in ms and its rate in bytes per second, None when it could not be measured."""

    rtt: float | None
    rate: float | None


class DataObservation(FolderDigest):
    """A node's data folder and its digests."""

    folder: str


class ConfigObservation(TypedDict):
    """The configuration file that the program is given: ``path`` in the project, None without one.

    ``by_program``: the program itself has read it, and ``faults`` and ``values`` are its output.
    """

    path: str | None
    exists: bool
    faults: list[Message]
    values: dict[str, object]
    by_program: bool


class TrialObservation(TypedDict):
    """A trial rank's findings, or why none was started (empty: one was)."""

    skipped: Message
    found: TrialResult | None


class Absent(Struct, frozen=True):
    """Stands for an observation that could not be made, with the ``reason``.

    It is ``internal`` after a fault in dtui or an answer that is not valid: the checks that need it fail,
    since a skip would look like a pass.
    """

    reason: Message
    remedy: Message = EMPTY
    internal: bool = False


class AnyObservation:
    """An observation of any type."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __repr__(self) -> str:
        return self.name


class Observation(AnyObservation, Generic[T]):
    """An observation whose value is a T."""


#: None for the master itself, which is not observed from outside.
OUTSIDE = Observation[NetprobeResult | None]("outside")
LINK = Observation[LinkUp | LinkFailed]("link")
FACTS = Observation[NodeFacts]("facts")
PORTS = Observation[PortcheckResult]("ports")
CONDITIONS = Observation[Conditions]("conditions")
MESH = Observation[MeshObservation]("mesh")
#: Other node -> the route to it, if it was measured.
LINKS = Observation[dict[str, LinkSpeed]]("links")
DATA = Observation[DataObservation]("data")
#: Path below the project -> digest, or ``missing``.
CODE = Observation[dict[str, str]]("code")
CONFIG = Observation[ConfigObservation]("config")
TRIAL = Observation[TrialObservation]("trial")


class ObservationStore:
    """The observations of each node so far."""

    def __init__(self, nodes: tuple[str, ...] = ()) -> None:
        self._values: dict[str, dict[AnyObservation, object]] = {name: {} for name in nodes}

    @property
    def nodes(self) -> tuple[str, ...]:
        """Names of all nodes."""
        return tuple(self._values)

    def put(self, node: str, observation: Observation[T], value: T | Absent) -> None:
        """Store the value of an observation, or why there is none."""
        self._values.setdefault(node, {})[observation] = value

    def miss(self, node: str, observation: AnyObservation, absent: Absent) -> None:
        """Store the reason why there is no value."""
        self._values.setdefault(node, {})[observation] = absent

    def has(self, node: str, observation: AnyObservation) -> bool:
        """Return whether the observation, or its absence, is stored."""
        return observation in self._values.get(node, {})

    def absent(self, node: str, observation: AnyObservation) -> Absent | None:
        """Return why there is no value; None when there is one, or nothing is stored."""
        value = self._values.get(node, {}).get(observation)
        return value if isinstance(value, Absent) else None

    def get(self, node: str, observation: Observation[T]) -> T | None:
        """Return the value, None without one."""
        value = self._values.get(node, {}).get(observation)
        return None if isinstance(value, Absent) else cast(T | None, value)

    def value(self, node: str, observation: Observation[T]) -> T:
        """Return the value; raises LookupError without one."""
        values: Mapping[AnyObservation, object] = self._values.get(node, {})
        if observation not in values or isinstance(values[observation], Absent):
            raise LookupError(f"{node} has no observation {observation}")
        return cast(T, values[observation])


def absent(error: Exception, step: Message) -> Absent:
    """Return what stands for the observation that ``error`` prevented during ``step``."""
    if not isinstance(error, FleetError):
        return Absent(internal_error(error, step), REPORT, internal=True)
    internal = isinstance(error, OperationFailed) and error.code in _INTERNAL
    return Absent(error.what, error.remedy or (REPORT if internal else EMPTY), internal)
