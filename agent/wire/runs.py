"""Runs on a node: starting, stopping, their status, their files, and processes that they left."""

from __future__ import annotations

from typing import Dict, List, Literal, Optional, TypedDict

from agent.wire.message import MessageData

#: What ``state`` can be. The last is never written to a file: it is found when the supervisor is gone.
RunStateName = Literal["starting", "running", "stopping", "succeeded", "failed", "stopped", "lost"]


class ProcessId(TypedDict):
    """Identifies a process uniquely; ``start_time`` is opaque and only compared."""

    pid: int
    start_time: str


#: Where a rank is, as its own interpreter shows it: from its start until it has joined the process group.
RankPhase = Literal["interpreter", "importing", "imported", "joining", "joined"]


class Frame(TypedDict):
    """One level of a Python stack."""

    file: str
    line: int
    function: str


class Observed(TypedDict):
    """What the observer in a rank reports (agent.observer).

    ``frames`` is the main thread's stack, the innermost frame first, unchanged since ``since`` (Unix
    seconds of the node). ``collective``: torch.distributed is on that stack. ``store``: the rendezvous,
    ``host:port``. ``stuck``: the observer gets no time, since something holds the GIL. ``idle``: seconds for
    which the rank's processes have used neither CPU nor disk; None where that is not measured.
    """

    phase: RankPhase
    since: float
    frames: List[Frame]
    collective: bool
    store: Optional[str]
    stuck: bool
    idle: Optional[float]


class ThreadStack(TypedDict):
    """The stack of one thread of a rank, the innermost frame first."""

    thread: str
    main: bool
    frames: List[Frame]


class RankStacks(TypedDict):
    """The stacks of a rank; ``recorder`` is torch's flight recorder as JSON text.

    ``source``: the rank's observer, or faulthandler where something holds the GIL; ``none`` without either.
    """

    rank: int
    source: Literal["observer", "faulthandler", "none"]
    stacks: List[ThreadStack]
    recorder: Optional[str]


class RankStatus(ProcessId):
    """One process of a run; times are the node's Unix seconds. ``observed`` is None until it has reported."""

    rank: int
    local_rank: int
    started_at: float
    exited_at: Optional[float]
    exit_code: Optional[int]
    stopped: bool
    observed: Optional[Observed]


class RunStatus(TypedDict):
    """``status.json`` of a run on a node; ``at`` is the supervisor's heartbeat."""

    run: str
    node: str
    state: RunStateName
    error: MessageData
    supervisor: Optional[ProcessId]
    ranks: List[RankStatus]
    at: float


class ProjectArgs(TypedDict):
    """The project's folder on the node."""

    project: str


class NodeArgs(ProjectArgs, total=False):
    """``node``: the name of the node asked, whose runs are meant where nodes share the project's folder."""

    node: str


class StatusArgs(NodeArgs, total=False):
    """``run``, or all runs without it; ``watch``: send the status on each change until the run has ended."""

    run: Optional[str]
    watch: bool


class StatusItem(TypedDict):
    """The run's status, and the node's clock."""

    status: RunStatus
    time: float


class StatusResult(TypedDict):
    """The runs, the newest last, and the node's clock."""

    runs: List[RunStatus]
    time: float


class StacksArgs(NodeArgs):
    """The run whose ranks' stacks are wanted."""

    run: str


class RankCommand(TypedDict):
    """A process to start: ``argv`` may hold ``{interpreter}``, ``env`` is added to the other variables."""

    rank: int
    local_rank: int
    argv: List[str]
    env: Dict[str, str]


class _StartArgs(TypedDict):
    project: str
    run: str
    node: str
    ranks: List[RankCommand]


class StartArgs(_StartArgs, total=False):
    """``grace`` in seconds; ``force``: even if another run is active; ``methods`` of agent.detach.

    ``log_limit``: bytes of each rank's log that stay on the disk. ``observe``: false leaves the observer out.

    ``secrets``: values of further variables of every rank, by name, which go into no file (agent.secrets).

    ``variables``: the user's, whose references the node resolves (agent.environments.expansion). ``workdir``:
    the ranks' folder below the project, with ``/``; empty is the project's.
    """

    interpreter: Optional[str]
    grace: float
    log_limit: int
    observe: bool
    force: bool
    secrets: Dict[str, str]
    methods: List[str]
    variables: Dict[str, str]
    workdir: str


class StartResult(RunStatus):
    """The run's status; ``method`` detached the supervisor, ``tried`` is why others did not."""

    method: str
    tried: List[str]


class RankProcess(ProcessId):
    """A living process of a run's rank."""

    rank: int
    name: str


class _StopArgs(NodeArgs):
    run: str


class StopArgs(_StopArgs, total=False):
    """``grace``: seconds to save a checkpoint (0 ends the ranks at once, None is what the start has set)."""

    grace: Optional[float]


class StopResult(TypedDict):
    """``ended`` are processes that the stop ended, ``left`` those that it could not end.

    ``status`` is None for a run without one.
    """

    status: Optional[RunStatus]
    ended: List[RankProcess]
    left: List[RankProcess]


class Orphan(RankProcess):
    """A process that a run has left."""

    run: str


class SweepArgs(NodeArgs, total=False):
    """``end``: end what is found; without it, list only."""

    end: bool


class SweepResult(TypedDict):
    """Processes that earlier runs have left, those that were ended, and those that could not be."""

    orphans: List[Orphan]
    ended: List[Orphan]
    left: List[Orphan]


class PruneArgs(NodeArgs):
    """Ids of runs; ``delete``: without it, measure only."""

    runs: List[str]
    delete: bool


#: What became of a run's folder, see :mod:`agent.operations.prune`.
FolderState = Literal["absent", "idle", "removed", "active", "failed"]


class RunOnNode(TypedDict):
    """A run's folder on a node; ``reason`` is why it was not deleted."""

    run: str
    bytes: int
    state: FolderState
    reason: MessageData


class PruneResult(TypedDict):
    """The runs, in the order in which they were asked for."""

    runs: List[RunOnNode]


class FollowedFile(TypedDict):
    """A path below the project with ``/``, and the first byte to read."""

    file: str
    offset: int


class _FollowArgs(NodeArgs):
    files: List[FollowedFile]


class FollowArgs(_FollowArgs, total=False):
    """``run``: its end ends the stream; ``once``: stop at the files' present ends."""

    run: Optional[str]
    once: bool


class _FollowItem(TypedDict):
    file: str
    offset: int
    restarted: Optional[Literal["truncated", "replaced", "abandoned"]]


class FollowItem(_FollowItem, total=False):
    """The payload's position: the file, and the offset of its first byte.

    ``restarted`` is why the file is read from its start again (no payload then); ``abandoned`` is the
    last item of a file that was restarted too often. ``gap`` is how many
    bytes at the offset the log's limit dropped (no payload then).
    """

    gap: int


class FollowResult(TypedDict):
    """How far each file was read."""

    offsets: Dict[str, int]
