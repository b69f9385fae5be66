"""Requests of preflight: conditions, ports, other hosts, contents, trial starts, and fixes."""

from __future__ import annotations

from typing import Dict, List, Literal, Optional, Tuple, TypedDict

from agent.wire.deploy import EnvironmentFacts
from agent.wire.message import MessageData
from agent.wire.runs import NodeArgs, Orphan, ProjectArgs

#: How a TCP connection attempt ended.
Outcome = Literal["open", "refused", "dropped", "unreachable", "silent", "foreign", "error"]
#: How a service is recognised: ``tcp`` is any that accepts a connection.
Protocol = Literal["ssh", "winrm", "tcp"]


class Defender(TypedDict):
    """Windows' virus scanner; ``excluded`` is None where only administrators may read it."""

    watching: bool
    excluded: Optional[List[str]]


Firewall = Literal["windows", "ufw", "firewalld", "iptables"]


class ConditionsArgs(NodeArgs, total=False):
    """``data``: the folder that a deploy would copy data to."""

    data: str


class DataPlace(TypedDict):
    """The data folder, which may not be there yet. ``apart``: it is on another disk than the project."""

    path: str
    apart: bool
    #: Bytes of its files; None when counting them took too long.
    present: Optional[int]
    free: Optional[int]


class Conditions(TypedDict):
    """What prevents a deploy or a run, apart from the machine's facts."""

    project: str
    writable: bool
    #: Bytes of the last deploy, 0 without one.
    deployed: int
    environment: Optional[EnvironmentFacts]
    orphans: List[Orphan]
    #: Runs that have not ended.
    under_way: List[str]
    defender: Optional[Defender]
    firewall: Optional[Firewall]
    #: None without ``data`` in the request.
    data: Optional[DataPlace]


class PortHolder(TypedDict):
    """Who listens on a port."""

    pid: Optional[int]
    name: Optional[str]
    address: Optional[str]


class PortFacts(TypedDict):
    """Why all addresses, or the node's own, can't be listened on (None: they can), and who holds the port."""

    all: Optional[str]
    own: Optional[str]
    holder: Optional[PortHolder]


class PortcheckArgs(TypedDict):
    """``address``: the node's own as the others reach it; may be empty."""

    address: str
    ports: List[int]


class PortcheckResult(TypedDict):
    """By port; and the ranges that Windows reserves."""

    ports: Dict[str, PortFacts]
    excluded: List[Tuple[int, int]]


class ResolvedName(TypedDict):
    """Addresses in the resolver's order, the seconds it took, and its error (empty without one)."""

    addresses: List[str]
    seconds: float
    error: str


class EchoResult(TypedDict):
    """ICMP echo (or TCP handshakes); ``method`` is None where nothing was permitted."""

    method: Optional[str]
    sent: int
    received: int
    ms: List[float]


class ServiceProbe(TypedDict):
    """A service to look for; ``scheme`` is http or https for WinRM. The result repeats ``transport``."""

    transport: str
    protocol: Protocol
    scheme: str
    port: int


class FoundService(TypedDict):
    """The response on a port to an unauthenticated request.

    ``banner`` is the identification of an SSH server, or vendor and version of a WinRM service; ``auth`` are
    the authentication schemes of a WinRM service. ``ms`` is the TCP handshake.
    """

    transport: str
    protocol: Protocol
    scheme: str
    port: int
    outcome: Outcome
    banner: str
    auth: List[str]
    ms: Optional[float]


class NetprobeArgs(TypedDict):
    """The host and the services to look for on it."""

    host: str
    services: List[ServiceProbe]


class NetprobeResult(TypedDict):
    """How a host responds to a node; ``ping`` is None and ``services`` empty if the name has no address."""

    name: ResolvedName
    ping: Optional[EchoResult]
    #: In the order of the request.
    services: List[FoundService]


class DigestArgs(ProjectArgs, total=False):
    """``folder`` (below the project, or absolute) with ``budget`` in bytes; else the upload lists files."""

    folder: Optional[str]
    budget: int


class FolderDigest(TypedDict):
    """Digests of a folder: all names and sizes, and the contents of as many files as the budget allows."""

    exists: bool
    files: int
    bytes: int
    #: Of names and sizes; ``paths`` of the names alone.
    names: str
    paths: str
    contents: str
    read: int
    sampled: Dict[str, str]
    #: Subfolder -> files, bytes, digest of names and sizes.
    folders: Dict[str, Tuple[int, int, str]]


class DigestResult(TypedDict):
    """``folder`` where one was asked for, else how many files were listed."""

    folder: Optional[FolderDigest]
    files: int


class TrialDevice(TypedDict):
    """One GPU's trial."""

    index: int
    name: Optional[str]
    error: Optional[MessageData]
    seconds: float


class TrialArgs(TypedDict):
    """A rank's ``backend`` and ``env``, and the user's ``variables``; ``gpu``: try the GPUs."""

    project: str
    node: str
    backend: str
    gpu: bool
    env: Dict[str, str]
    variables: Dict[str, str]


class TriedDevice(TypedDict):
    """A GPU in the program's output: ``error`` is torch's, ``wrong`` a result that is not the right one."""

    index: int
    name: Optional[str]
    error: Optional[str]
    wrong: Optional[str]
    seconds: float


class _TrialFacts(TypedDict):
    backend: Optional[str]
    torch: Optional[str]
    cuda: Optional[str]
    hip: Optional[str]


class TrialFindings(_TrialFacts):
    """What a trial rank found. With ``error`` the rest may be unknown.

    ``backend`` is ``works`` or why the process group could not be made.
    """

    error: Optional[str]
    devices: List[TriedDevice]


class TrialResult(_TrialFacts):
    """The findings, and how the trial's process was detached (None: it was not started)."""

    error: Optional[MessageData]
    devices: List[TrialDevice]
    method: Optional[str]


class FixArgs(TypedDict):
    """A command that the user has approved: of a repair with these values (agent.repairs), by its number."""

    repair: str
    values: List[str]
    step: int


class FixResult(TypedDict):
    """Exit status and the end of its output."""

    status: int
    output: str


class ConfigcheckArgs(TypedDict):
    """``config``: a path below the project."""

    project: str
    node: str
    config: str


class ConfigcheckResult(TypedDict):
    """``by_program`` is false when the program is not dtui's trainer, or no training Python is known."""

    by_program: bool
    faults: List[str]
    values: Dict[str, object]


class _ProgramArgs(TypedDict):
    project: str
    node: str
    argv: List[str]
    seconds: float


class ProgramArgs(_ProgramArgs, total=False):
    """``{out}`` in ``argv`` is the path of the file that is sent back; ``suffix`` ends its name."""

    suffix: str
    env: Dict[str, str]
    interpreter: Optional[str]


class ProgramResult(TypedDict):
    """Exit status, the last lines printed, and the file's length (None: it was not written)."""

    status: int
    tail: List[str]
    size: Optional[int]
