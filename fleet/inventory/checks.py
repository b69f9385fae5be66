"""What must hold between nodes: nobody twice, no folder shared, nothing missing."""

from __future__ import annotations

import ipaddress
from collections.abc import Hashable, Sequence

from fleet.inventory.model import Node
from fleet.inventory.sections import Section


def check_nodes(described: Sequence[tuple[Node, Section]]) -> None:
    """Report what does not go together; each node with the block that describes it, master first."""
    master = described[0][0]
    taken: dict[Hashable, str] = {}

    def holder(key: Hashable, node: Node, section: Section) -> str | None:
        """Return who has the key already; else the node has it from now on."""
        line = f" (line {section.node.start_mark.line + 1})" if section.node is not None else ""
        before = taken.get(key)
        taken.setdefault(key, f"{node.name}{line}")
        return before

    for node, section in described:
        if node.environment == "existing" and not node.interpreter and "interpreter" not in section.nodes:
            section.fault(
                "environment",
                f"{node.name} has `environment: existing` without an `interpreter`",
                "give the path of the Python that trains, as on that node",
            )
        if other := holder(("name", node.name.casefold()), node, section):
            section.fault(
                "name" if "name" in section.nodes else "address",
                f"the name {node.name!r} is taken by {other}",
                "give each node its own name",
            )
        if node is master:
            continue
        if node.transport == "local":
            if other := holder(("folder", node.project), node, section):
                section.fault(
                    "project", f"{node.name} has the same folder as {other}", "give it its own `project`"
                )
        elif other := holder(("address", _canonical(node.address), node.port), node, section):
            section.fault(
                "address",
                f"{node.name} has the same address and port as {other}",
                "two nodes on one machine need a `port` each",
            )
        if master.address and node.port is None and _canonical(node.address) == _canonical(master.address):
            section.fault(
                "address",
                f"{node.name} has the master's address {node.address}",
                "the master trains too, as rank 0: don't list it among the workers",
            )


def _canonical(address: str) -> str:
    try:
        return str(ipaddress.ip_address(address))
    except ValueError:
        return address.rstrip(".").casefold()
