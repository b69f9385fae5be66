"""The nodes and the run that a user describes, as frozen values."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Literal, Self

from msgspec import Struct
from msgspec.structs import replace

from fleet.launch_method import LaunchMethod
from fleet.nodeset import select
from transports.kind import TransportKind
from transports.registry import DEFAULT_TRANSPORT, KINDS, LOCAL_TRANSPORT

EnvironmentKind = Literal["uv", "existing"]
BackendChoice = Literal["auto", "gloo", "nccl"]
#: What a deploy does with data: nothing, copy what is missing, or make the nodes' folders equal the master's.
DataSync = Literal["no", "once", "mirror"]
#: What of the data preflight compares.
DataParity = Literal["names", "sizes", "digest", "off"]

DEFAULT_PORT = 29500
DEFAULT_MODULE = "trainer"
DEFAULT_CONFIG = "configs/train_config.yaml"


class Node(Struct, frozen=True, kw_only=True):
    """One machine, or the part of a machine that ``gpus`` gives it."""

    name: str
    #: Address literal or host name; empty only for a master whose address is detected.
    address: str = ""
    #: One of ``transports.registry.KINDS``.
    transport: str = DEFAULT_TRANSPORT
    #: Port of the service that the transport logs in to; None is its usual port.
    port: int | None = None
    user: str | None = None
    #: Private key file on the master, absolute.
    identity: Path | None = None
    #: Python that runs the agent on the node; None: it is detected.
    python: str | None = None
    environment: EnvironmentKind = "uv"
    #: Python that trains, on the node; only (and always) with ``environment: existing``.
    interpreter: str | None = None
    #: How many GPUs, or which (NVML's numbers); None is all that are found.
    gpus: int | tuple[int, ...] | None = None
    #: Ranks of a node that trains on the CPU; None is one.
    processes: int | None = None
    #: Folder of the project on the node, absolute or below ``~``.
    project: str
    #: Network adapter for the ranks' traffic; None is the one that routes to the master.
    interface: str | None = None
    tags: tuple[str, ...] = ()
    #: Extra environment variables for this node's ranks.
    env: tuple[tuple[str, str], ...] = ()
    #: Options of the transport (``transports.base.Endpoint.options``).
    options: tuple[tuple[str, str], ...] = ()

    @property
    def kind(self) -> TransportKind:
        """The declaration of the node's transport; raises KeyError if there is no such transport."""
        return KINDS[self.transport]


class SetupCommand(Struct, frozen=True, kw_only=True):
    """A command that prepares a node for the run."""

    #: No shell takes part in it.
    run: tuple[str, ...]
    #: Files and folders of the project whose changes make it necessary again; None is every deployed file.
    inputs: tuple[str, ...] | None = None


class RunSettings(Struct, frozen=True, kw_only=True):
    """The program that a run starts. Exactly one of ``module`` and ``script`` is set."""

    module: str | None = DEFAULT_MODULE
    #: A file below the project folder, with ``/``.
    script: str | None = None
    args: tuple[str, ...] = ()
    #: Passed to the program as ``--config PATH``; below the project folder. None: see ``program_config``.
    config: str | None = None
    #: The program's working folder, below the project folder; empty is the project folder.
    workdir: str = ""
    #: The user's Accelerate configuration; below the project folder.
    accelerate: str | None = None
    method: LaunchMethod = "ranks"
    backend: BackendChoice = "auto"
    #: Whether each rank has an observer (agent.observer).
    observe: bool = True
    #: Regular expression for the lines in which the program reports its progress (fleet.printed.pattern).
    progress: str | None = None
    #: Port of the rendezvous on the master.
    port: int = DEFAULT_PORT
    #: Extra environment variables for every rank.
    env: tuple[tuple[str, str], ...] = ()
    #: Run on each node before the ranks, when something has changed (docs/guide.md).
    setup: tuple[SetupCommand, ...] = ()
    #: Folder of wheels to install from, in the project or on the node; None is the package index.
    wheelhouse: str | None = None
    #: Names of further ones; their values are passed with each launch (``LaunchOptions.secrets``).
    secrets: tuple[str, ...] = ()
    #: Bytes of each rank's log that stay on its node; None is the agent's own limit, 1 GiB.
    log_limit: int | None = None

    def variables(self, node: Node) -> dict[str, str]:
        """Return the user's variables for a node: the run's, replaced by the node's own."""
        return dict(self.env) | dict(node.env)

    @property
    def is_trainer(self) -> bool:
        """Whether the program is the bundled trainer, whose configuration and data dtui can read."""
        return self.module == DEFAULT_MODULE

    @property
    def program_config(self) -> str | None:
        """The configuration that the program gets: our own trainer has a default, others get what is set."""
        return self.config or (DEFAULT_CONFIG if self.is_trainer else None)


class DataSettings(Struct, frozen=True, kw_only=True):
    """The folder that the program reads its data from, and how it is treated."""

    #: Relative to the project's folder, or absolute; None without one on the master.
    root: str | None = None
    #: Node sets with the folder on those nodes, absolute or below ``~``; the others use ``root``.
    on: tuple[tuple[str, str], ...] = ()
    sync: DataSync = "no"
    parity: DataParity = "digest"


class Inventory(Struct, frozen=True, kw_only=True):
    """The master, the workers, the local folder to deploy and the run to start."""

    project: Path
    master: Node
    workers: tuple[Node, ...] = ()
    run: RunSettings = RunSettings()
    #: None: not described. :mod:`fleet.data` has what the bundled trainer then uses.
    data: DataSettings | None = None
    #: Patterns of files that runs write into the project, in gitignore syntax.
    outputs: tuple[str, ...] = ()
    #: Other people depend on the machines: consoles show a frame, and their questions default to No.
    production: bool = False
    #: The file that it was read from.
    source: Path | None = None

    def _compared(self) -> tuple[object, ...]:
        return (self.project, self.master, self.workers, self.run, self.data, self.outputs, self.production)

    def __eq__(self, other: object) -> bool:
        """Compare the contents; the file that they were read from does not count."""
        return self._compared() == other._compared() if isinstance(other, Inventory) else NotImplemented

    def __hash__(self) -> int:
        return hash(self._compared())

    @property
    def nodes(self) -> tuple[Node, ...]:
        """All nodes, the master first."""
        return (self.master, *self.workers)

    def node(self, name: str) -> Node:
        """Return the node of that name; raises KeyError."""
        for node in self.nodes:
            if node.name == name:
                return node
        raise KeyError(name)

    def select(self, expression: str) -> tuple[Node, ...]:
        """Return the nodes that ``gpu[1-4],@lab`` names, in the inventory's order; raises NodeSetError."""
        chosen = set(select(expression, {node.name: node.tags for node in self.nodes}))
        return tuple(node for node in self.nodes if node.name in chosen)

    def with_workers(self, workers: tuple[Node, ...]) -> Self:
        """Return this inventory with other workers, as ``--workers`` asks for."""
        return replace(self, workers=workers)


def default_master(project: Path, address: str = "") -> Node:
    """Return the machine that the console runs on; it trains in the project folder itself."""
    return Node(name="master", address=address, transport=LOCAL_TRANSPORT, project=str(project))


def default_project(project: Path) -> str:
    """Return the default folder of the project on a worker."""
    name = re.sub(r'[\\/:*?"<>|\s]+', "-", project.resolve().name).strip("-.") or "project"
    return f"~/dtui/{name}"
