"""Deploying: comparing, receiving and writing files, and the training environment."""

from __future__ import annotations

from typing import Dict, List, Literal, Optional, Tuple, TypedDict

from agent.wire.message import MessageData
from agent.wire.runs import ProjectArgs


class DeployArgs(ProjectArgs):
    """``deploy`` identifies one deploy, as in agent.tree.lock."""

    deploy: str


class _ManifestArgs(DeployArgs):
    source: str


#: How data is compared: for what is missing only, or for every difference, also files that were not deployed.
DataSync = Literal["once", "mirror"]


class ManifestArgs(_ManifestArgs, total=False):
    """``source``: a file name that exists in the console's own ``.dtui`` only; ``sync``: this is data."""

    dry_run: bool
    sync: DataSync
    #: The master and the folder that the project is deployed from.
    origin: str


class ReceiveArgs(DeployArgs, total=False):
    """``mirror``: the plan may delete files that no deploy has put there."""

    mirror: bool
    origin: str


#: path, size, mtime_ns, executable (None where the console's system has no such bit).
Entry = Tuple[str, int, int, Optional[int]]


#: Seconds that a node waits for the others that share its folder, and between its reports that it does.
LOCK_SECONDS = 15 * 60.0
LOCK_REPORT_SECONDS = 10.0


class WaitItem(TypedDict):
    """Seconds for which the node has waited for another one that shares its folder."""

    waiting: float


class ManifestItem(TypedDict):
    """A payload of the packed answer (both None), the bytes read so far, or a wait as in WaitItem."""

    hashed: Optional[int]
    waiting: Optional[float]


class ManifestResult(TypedDict):
    """Whether the project is the console's own folder; free bytes on its disk.

    ``shares``: another node of the same deploy has the same folder, and copies the files. ``other``: the
    origin of another project that was deployed there.
    """

    same_folder: bool
    shares: Optional[str]
    other: Optional[str]
    free: int


class Differences(TypedDict):
    """The answer to a manifest, packed into the items' payloads. Numbers are positions in the manifest."""

    #: Contents must be sent; ``exists`` are those of them where a file is, which will be replaced.
    need: List[int]
    exists: List[int]
    #: Same size, another time: equal if the console's file has this digest.
    verify: List[Tuple[int, str]]
    #: Of ``need``: this many bytes with this digest are here from an interrupted deploy.
    staged: List[Tuple[int, int, str]]
    #: Same contents, another executable bit.
    adjust: List[int]
    #: Files of earlier deploys that the manifest lacks: path and size.
    delete: List[Tuple[str, int]]
    #: The same, but changed on the node since: they stay.
    kept: List[str]
    #: Records that mean nothing any more.
    forget: List[str]
    #: Why the manifest can't be deployed here: path, and the reason, which begins with the path's repr().
    faults: List[Tuple[str, MessageData]]


#: path, size, mtime_ns, executable, start (bytes already staged), digest (given when all of it is staged).
PlannedFile = Tuple[str, int, int, Optional[int], int, str]
#: path, size, mtime_ns, executable, digest.
Adjusted = Tuple[str, int, int, Optional[int], str]


class TransferPlan(TypedDict):
    """What ``receive`` will do, packed into its first pieces."""

    files: List[PlannedFile]
    adjust: List[Adjusted]
    delete: List[str]
    forget: List[str]


#: A file's number, the block's length and its digest.
Segment = Tuple[int, int, str]


class ReceivePiece(TypedDict):
    """A piece of the upload: of the packed plan, of contents, or (no payload) the order to commit.

    Contents: whether the payload is compressed, and which blocks it holds.
    """

    step: Literal["plan", "contents", "commit"]
    compressed: bool
    segments: List[Segment]


class ReceiveResult(TypedDict):
    """How many files were put, deleted and adjusted."""

    files: int
    deleted: int
    adjusted: int


class PutArgs(DeployArgs):
    """``files``: text by path below the project; ``.dtui`` is allowed."""

    files: Dict[str, str]


class PutResult(TypedDict):
    """Absolute paths by relative path."""

    written: Dict[str, str]


EnvironmentKind = Literal["uv", "existing"]


#: ``project``: `uv sync`; ``packages``: `uv pip` with requirements or setup.py; ``conda``.
RecipeTool = Literal["project", "packages", "conda"]


class Recipe(TypedDict):
    """How the environment of ``kind`` ``uv`` is made from the project's files.

    ``requirements`` are files for ``uv pip install -r``; ``editable``: install the project itself, too.
    ``conda`` is the file that describes a conda environment, empty without one.
    """

    tool: RecipeTool
    requirements: List[str]
    editable: bool
    conda: str
    extras: List[str]


class _ProgramArgs(DeployArgs):
    """The user's ``variables``, with references, and ``secrets``, which go into no file."""

    variables: Dict[str, str]
    secrets: Dict[str, str]
    #: Folder of wheels, in the project or on the node; None is the package index.
    wheelhouse: Optional[str]


class EnvironmentArgs(_ProgramArgs):
    """``interpreter`` for ``existing`` (the agent's own without one), ``recipe`` for ``uv``."""

    kind: EnvironmentKind
    interpreter: Optional[str]
    recipe: Optional[Recipe]


class SetupCommand(TypedDict):
    """``inputs``: a digest of the files that the command depends on; None: they do not count now."""

    argv: List[str]
    inputs: Optional[str]


class SetupArgs(_ProgramArgs):
    """``workdir`` is below the project, empty for the project's; ``force``: run all commands again."""

    node: str
    workdir: str
    interpreter: Optional[str]
    commands: List[SetupCommand]
    force: bool


class SetupResult(TypedDict):
    """How many commands have run, of how many."""

    ran: int
    total: int
    warnings: List[MessageData]


class OutputItem(TypedDict):
    """Output of a program, or the seconds for which it has printed nothing, or (both None) a payload."""

    text: Optional[str]
    quiet: Optional[float]


class TorchFacts(TypedDict):
    """The installed torch; ``error`` is why it can't be imported, and then the rest is None."""

    error: Optional[str]
    version: Optional[str]
    cuda: Optional[str]
    hip: Optional[str]
    sees_gpu: Optional[bool]
    gloo: Optional[bool]
    nccl: Optional[bool]


class EnvironmentRequest(TypedDict):
    """What the environment was asked to be."""

    kind: EnvironmentKind
    interpreter: Optional[str]
    recipe: Optional[Recipe]
    wheelhouse: Optional[str]


class EnvironmentStamp(TypedDict):
    """What must be unchanged for an environment to be up to date."""

    request: EnvironmentRequest
    sources: Dict[str, Optional[str]]
    #: Interpreter and package folders with their modification times in nanoseconds.
    places: List[Tuple[str, Optional[int]]]


class _EnvironmentFacts(TypedDict):
    version: int
    kind: EnvironmentKind
    interpreter: str
    python: str
    packages: Dict[str, str]
    torch: Optional[TorchFacts]
    warnings: List[MessageData]
    stamp: EnvironmentStamp


class EnvironmentFacts(_EnvironmentFacts, total=False):
    """``.dtui/environment.json``: the environment that a deploy made or found.

    ``build`` is another text each time that it was made. ``node`` and ``host`` are of the node that
    has it, see agent.environments.folders.
    """

    build: str
    node: str
    host: str


class EnvironmentResult(EnvironmentFacts):
    """The environment, and whether an earlier deploy had made the same."""

    unchanged: bool
