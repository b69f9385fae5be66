"""A set of loopback nodes with everything that a console needs to use them."""

from __future__ import annotations

import asyncio
import os
import secrets
import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Self

from msgspec.structs import replace

from fleet.inventory import Inventory, Node, RunSettings, default_project, to_yaml
from lab.addresses import AddressBlock
from lab.ending import sweep
from lab.errors import LabError
from lab.home import MARK, NodeHome
from lab.node import LabNode
from lab.remains import make_root, remove_remains
from lab.rendezvous import RendezvousPort
from lab.ssh_node import SshNode
from transports.base import Endpoint, NoPrompts, Prompts

if TYPE_CHECKING:
    from lab.wine.machine import WindowsMachine

_MOST_NODES = 200


class Lab:
    """``nodes`` loopback nodes, the last ``winrm`` of them reached by WinRM and the others by SSH.

    Use as ``async with``, on the event loop that serves the nodes. ``root`` keeps the nodes' folders
    and stays; without one they are in a temporary folder. ``environment`` are variables
    for all that runs on the nodes. On a ``windows`` machine, which is running, the nodes are Windows.
    Raises LabError for WinRM nodes that are to run on Windows itself.
    At the end no process of the lab is left, detached ones included; what a lab that was killed has left
    is removed when the next one starts, or immediately with a guardian.
    """

    def __init__(
        self,
        nodes: int = 3,
        *,
        winrm: int = 0,
        root: Path | None = None,
        user: str = "lab",
        environment: Mapping[str, str] | None = None,
        windows: WindowsMachine | None = None,
    ) -> None:
        if not 1 <= nodes <= _MOST_NODES or not 0 <= winrm <= nodes:
            raise ValueError(f"a lab has 1 to {_MOST_NODES} nodes, and not more of them with WinRM")
        if winrm and os.name == "nt":
            # Their service starts commands in process groups, which Windows does not have.
            raise LabError("a lab's WinRM nodes need Linux; on Windows all its nodes use SSH")
        self.id = secrets.token_hex(8)
        self.nodes: tuple[LabNode, ...] = ()
        self._kinds = ["ssh"] * (nodes - winrm) + ["winrm"] * winrm
        self._given_root = root
        self._user = user
        self._environment = dict(environment or {})
        self._windows = windows

    async def __aenter__(self) -> Self:
        self._rendezvous = RendezvousPort()
        self._block = AddressBlock()
        self.master_address = self._block.master
        if self._given_root is None:
            await remove_remains()
        self.root = self._given_root or make_root(self.id, self._block)
        try:
            self.nodes = tuple(self._node(index, kind) for index, kind in enumerate(self._kinds))
            for node in self.nodes:
                await node.start()
        except BaseException:
            await self._end()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._end()

    def node(self, name: str) -> LabNode:
        """Return the node of that name; raises KeyError."""
        return {node.name: node for node in self.nodes}[name]

    @property
    def prompts(self) -> Prompts:
        """Prompts that answer with the nodes' passwords, and trust no new host key."""
        return _Passwords(self.nodes)

    def known_hosts(self) -> str:
        """Return the host keys of the SSH nodes as lines of a known_hosts file."""
        return "".join(node.known_hosts_line() for node in self.nodes if isinstance(node, SshNode))

    def trust(self, path: Path) -> None:
        """Add the host keys to a known_hosts file, so that the user is not asked."""
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a", encoding="utf-8") as file:
            file.write(self.known_hosts())

    def inventory(
        self,
        project: Path,
        *,
        run: RunSettings | None = None,
        gpus: int | Sequence[tuple[int, ...]] = 0,
        environment: Literal["existing", "uv"] = "existing",
        python: str = sys.executable,
    ) -> Inventory:
        """Return the lab as an inventory of ``project``, with this machine as its master.

        ``python`` runs the agents and, where ``environment`` is existing, trains. All nodes are one
        machine: they train on its CPU (``gpus`` 0), or share its GPUs, whose numbers ``gpus`` then lists
        for the master and each node. Without ``run`` the runs meet at a port that no other lab's do.
        Raises ValueError when that list has another length.
        """
        shares: list[int | tuple[int, ...]] = (
            [gpus] * (len(self.nodes) + 1) if isinstance(gpus, int) else list(gpus)
        )
        master_share, *node_shares = shares
        common = Node(
            name="master",
            address=self.master_address,
            transport="local",
            gpus=master_share,
            environment=environment,
            interpreter=python if environment == "existing" else None,
            project=str(project),
            # This machine is not a node of the lab, but its ranks cannot train without the lab.
            env=((MARK, f"{self.id}/master"),),
        )
        workers = tuple(
            replace(
                common,
                name=node.name,
                gpus=share,
                address=node.address,
                transport=node.kind,
                port=node.port,
                user=node.user,
                identity=node.identity if isinstance(node, SshNode) else None,
                python=node.python or python,
                interpreter=(node.python or python) if environment == "existing" else None,
                project=default_project(project),
                env=(),
            )
            for node, share in zip(self.nodes, node_shares, strict=True)
        )
        run = run or RunSettings(port=self._rendezvous.number)
        return Inventory(project=project, master=common, workers=workers, run=run)

    def inventory_yaml(self, path: Path, project: Path) -> str:
        """Return the text of an inventory file for ``path``."""
        return to_yaml(self.inventory(project), path)

    def _node(self, index: int, kind: str) -> LabNode:
        name = f"node{index + 1}"
        if self._windows is not None:
            return self._windows_node(self._windows, index, name, kind)
        home = NodeHome(self.id, name, self.root / name, self._user, self._environment)
        address = self._block.node(index)
        if kind == "ssh":
            return SshNode(home, address)
        from lab.winrm_node import WinRMNode  # it takes 0.3 s to import, and few labs need it

        return WinRMNode(home, address)

    def _windows_node(self, machine: WindowsMachine, index: int, name: str, kind: str) -> LabNode:
        from lab.wine.home import WindowsHome
        from lab.wine.machine import RELEASES
        from lab.wine.nodes import WindowsSshNode, WindowsWinRMNode

        python = machine.python(RELEASES[index % len(RELEASES)])
        home = WindowsHome(machine, name, self._user, python)
        kinds = {"ssh": WindowsSshNode, "winrm": WindowsWinRMNode}
        return kinds[kind](home, self._block.node(index), lab=self.id, extra=self._environment)

    async def _end(self) -> None:
        try:
            await asyncio.gather(*(node.stop() for node in self.nodes))
            await sweep(self.id, self.root)
        finally:
            try:
                if self._given_root is None:
                    await asyncio.to_thread(shutil.rmtree, self.root)
            finally:
                self._rendezvous.release()
                self._block.release()  # last: it marks the folder as that of a living lab


class _Passwords(NoPrompts):
    def __init__(self, nodes: tuple[LabNode, ...]) -> None:
        self._nodes = nodes

    async def password(self, endpoint: Endpoint, reason: str) -> str | None:
        """Return the password of the node at this address."""
        for node in self._nodes:
            if (node.address, node.user) == (endpoint.host, endpoint.user):
                return node.password
        return None
