"""The nodes and the run that a user describes, as frozen values."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path
from typing import Literal, Self

from fleet.frozen import frozen
from fleet.nodeset import select

TransportName = Literal["local", "ssh", "winrm", "auto"]
EnvironmentKind = Literal["uv", "existing"]
LaunchMethod = Literal["ranks", "accelerate"]
BackendChoice = Literal["auto", "gloo", "nccl"]

DEFAULT_PORT = 29500
DEFAULT_MODULE = "trainer"
DEFAULT_CONFIG = "configs/train_config.yaml"


@frozen(kw_only=True)
class Node:
    """One machine, or the part of a machine that ``gpus`` gives it."""

    name: str
    #: Address literal or host name; empty only for a master whose address is found by itself.
    address: str = ""
    transport: TransportName = "auto"
    #: Port of the ssh or WinRM service; None is the transport's own.
    port: int | None = None
    user: str | None = None
    #: Private key file on the master, absolute.
    identity: Path | None = None
    #: Python that runs the agent on the node; None looks for one.
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
    #: What only the transport understands (``transports.base.Endpoint.options``).
    options: tuple[tuple[str, str], ...] = ()


@frozen(kw_only=True)
class RunSettings:
    """The program that a run starts. Exactly one of ``module`` and ``script`` is set."""

    module: str | None = DEFAULT_MODULE
    #: A file below the project folder, with ``/``.
    script: str | None = None
    args: tuple[str, ...] = ()
    #: Handed to the program as ``--config PATH``; below the project folder. None: see ``config_handed``.
    config: str | None = None
    method: LaunchMethod = "ranks"
    backend: BackendChoice = "auto"
    #: Port of the rendezvous on the master.
    port: int = DEFAULT_PORT
    #: Extra environment variables for every rank.
    env: tuple[tuple[str, str], ...] = ()

    @property
    def config_handed(self) -> str | None:
        """The configuration that the program gets: our own trainer has a default, others get what is set."""
        return self.config or (DEFAULT_CONFIG if self.module == DEFAULT_MODULE else None)


@frozen(kw_only=True)
class Inventory:
    """The master, the workers, the local folder to deploy and the run to start."""

    project: Path
    master: Node
    workers: tuple[Node, ...] = ()
    run: RunSettings = RunSettings()
    #: What is done here counts: consoles say so, and ask with No as the default.
    production: bool = False
    #: The file that it was read from.
    source: Path | None = dataclasses.field(default=None, compare=False)

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
        return dataclasses.replace(self, workers=workers)


def default_master(project: Path, address: str = "") -> Node:
    """Return the machine that the console runs on; it trains in the project folder itself."""
    return Node(name="master", address=address, transport="local", project=str(project))


def default_project(project: Path) -> str:
    """Return where a worker keeps the project unless told otherwise."""
    name = re.sub(r'[\\/:*?"<>|\s]+', "-", project.resolve().name).strip("-.") or "project"
    return f"~/dtui/{name}"
