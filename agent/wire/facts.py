"""What a node reports about its machine. Sizes are bytes; None means unknown or not applicable."""

from __future__ import annotations

from typing import Dict, List, Optional, TypedDict

from agent.wire.gpu import GpuSource, ProbedGpu
from agent.wire.message import MessageData


class OsFacts(TypedDict):
    """The operating system. Code pages are None outside Windows."""

    name: Optional[str]
    version: Optional[str]
    build: Optional[str]
    codepage: Optional[int]
    oem_codepage: Optional[int]
    locale: Optional[str]
    system: str
    release: Optional[str]
    machine: str
    encoding: str


class CpuFacts(TypedDict):
    """The processor; ``usable`` is how many threads the agent may use."""

    model: Optional[str]
    cores: Optional[int]
    threads: Optional[int]
    usable: Optional[int]


class RamFacts(TypedDict):
    """Memory; ``limit`` is the control group's."""

    total: Optional[int]
    free: Optional[int]
    limit: Optional[int]


class PagingFacts(TypedDict):
    """Swap, or the page file with Windows' commit charge."""

    total: Optional[int]
    free: Optional[int]
    commit_limit: Optional[int]
    commit_free: Optional[int]


class DiskFacts(TypedDict):
    """The disk that holds the project, at the nearest existing parent ``path``."""

    path: str
    total: Optional[int]
    free: Optional[int]


class PythonFacts(TypedDict):
    """The interpreter that runs the agent."""

    version: str
    executable: str
    bits: int
    implementation: str


class AdapterFacts(TypedDict):
    """A network adapter."""

    name: str
    index: int
    description: Optional[str]
    up: bool
    loopback: bool
    speed_mbps: Optional[int]
    wireless: bool
    addresses: List[str]
    routes_to_master: Optional[bool]
    default_route: bool


class RouteFacts(TypedDict):
    """The master's address as given and as resolved, and the node's own address that reaches it."""

    master: Optional[str]
    master_ip: Optional[str]
    source: Optional[str]


class BatteryFacts(TypedDict):
    """A battery that feeds the machine."""

    percent: Optional[int]
    discharging: Optional[bool]


class PowerFacts(TypedDict):
    """Power plan; minutes until sleep on mains power, 0 for never."""

    plan: Optional[str]
    sleep_minutes_ac: Optional[int]
    hibernate_minutes_ac: Optional[int]
    on_ac: Optional[bool]
    battery: Optional[BatteryFacts]


class LoginShellFacts(TypedDict):
    """What runs the commands of a login on Windows.

    ``default_shell`` is that of the SSH server, None for cmd.exe. ``autorun`` is what cmd.exe runs first.
    """

    default_shell: Optional[str]
    autorun: List[str]


class Facts(TypedDict):
    """The result of ``probe``. ``long_paths``, ``execution_policy``, ``login_shell``: None outside Windows.

    ``login`` are the variables of agent.wire.known_variables that a login sets, without values that may be
    secrets; ``login_problem`` is why variables of a login are missing.
    """

    host: str
    user: Optional[str]
    time: float
    os: OsFacts
    cpu: CpuFacts
    ram: RamFacts
    paging: PagingFacts
    disk: DiskFacts
    python: PythonFacts
    adapters: List[AdapterFacts]
    route: RouteFacts
    power: PowerFacts
    long_paths: Optional[bool]
    execution_policy: Optional[str]
    login_shell: Optional[LoginShellFacts]
    elevated: bool
    gpus: List[ProbedGpu]
    gpu_source: GpuSource
    gpu_error: Optional[MessageData]
    login: Dict[str, Optional[str]]
    login_problem: Optional[MessageData]


class ProbeArgs(TypedDict):
    """``project``: folder whose disk counts; ``master_address``: whose route counts. Both may be empty."""

    project: str
    master_address: str


class RouteArgs(TypedDict):
    """``master_address`` may be empty."""

    master_address: str


class RouteResult(TypedDict):
    """The node's own address that reaches the master, None without a route."""

    source: Optional[str]


class PingResult(TypedDict):
    """``time``: the node's clock, Unix seconds."""

    time: float
