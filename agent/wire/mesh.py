"""The port probe between nodes: commands to ``agent.pyz peer``, and its answers."""

from __future__ import annotations

from typing import Dict, List, Literal, Optional, TypedDict, Union, final

from agent.wire.preflight import Outcome


@final
class Listen(TypedDict):
    """Open all ``ports`` (0: one of the system's choice) for ``seconds``."""

    do: Literal["listen"]
    address: str
    ports: List[int]
    key: str
    seconds: float


class Target(TypedDict):
    """Another node's listeners: port column -> port."""

    peer: str
    address: str
    ports: Dict[str, int]


@final
class Reach(TypedDict):
    """Connect to every listener of the targets."""

    do: Literal["reach"]
    targets: List[Target]
    key: str


@final
class Measure(TypedDict):
    """Take up to ``bytes`` from one listener for at most ``seconds``."""

    do: Literal["measure"]
    peer: str
    address: str
    port: int
    key: str
    bytes: int
    seconds: float


MeshCommand = Union[Listen, Reach, Measure]


@final
class Ready(TypedDict):
    """Which interpreter listens and connects, and whether that is the one that trains."""

    interpreter: str
    trains: bool


class OpenedPort(TypedDict):
    """The port that is open, or why there is none."""

    port: Optional[int]
    error: Optional[str]


@final
class Listening(TypedDict):
    """The answer to Listen, by the port that was asked for."""

    listening: Dict[str, OpenedPort]


class Attempt(TypedDict):
    """One connection; ``ms`` is the TCP handshake."""

    outcome: Outcome
    ms: Optional[float]


@final
class Reached(TypedDict):
    """One target of Reach, by port column."""

    peer: str
    ports: Dict[str, Attempt]


class _Finished(TypedDict):
    done: Literal["reach"]


@final
class Finished(_Finished, total=False):
    """All targets of Reach have been answered; ``lag``: the longest time for which this end got no turn."""

    lag: float


@final
class Measured(TypedDict):
    """The answer to Measure: round trips in ms, and the bytes that came in ``seconds``."""

    peer: str
    rtt_ms: List[float]
    bytes: int
    seconds: float
    error: Optional[Outcome]


MeshAnswer = Union[Ready, Listening, Reached, Finished, Measured]
