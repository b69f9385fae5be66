"""Checks between nodes: names, addresses and folders are used once, and nothing is missing."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Hashable, Sequence

from agent.wire.message import Message, message
from fleet.inventory.model import Node
from fleet.inventory.sections import Section

_IPV4 = re.compile(r"[0-9]{1,3}(?:\.[0-9]{1,3}){3}")


def check_nodes(described: Sequence[tuple[Node, Section]]) -> None:
    """Report what does not go together; each node with the block that describes it, master first."""
    master = described[0][0]
    master_address = _canonical(master.address)
    taken: dict[Hashable, tuple[Node, Section]] = {}

    def holder(key: Hashable, node: Node, section: Section) -> Message | None:
        """Return the node that has the key already; else ``node`` has it from now on."""
        own = (node, section)
        first = taken.setdefault(key, own)
        return None if first is own else _with_line(*first)

    for node, section in described:
        if node.environment == "existing" and not node.interpreter and "interpreter" not in section.nodes:
            section.fault(
                "environment",
                message(
                    "inventory.interpreter-missing",
                    "{node} has `environment: existing` without an `interpreter`",
                    node=node.name,
                ),
                message(
                    "inventory.interpreter-missing.remedy",
                    "set `interpreter` to the path of the training Python on {node}",
                    node=node.name,
                ),
            )
        if other := holder(("name", node.name.casefold()), node, section):
            section.fault(
                "name" if "name" in section.nodes else "address",
                message(
                    "inventory.name-taken",
                    "the name {name!r} is already used by {other}",
                    name=node.name,
                    other=other,
                ),
                message("inventory.name-taken.remedy", "give each node its own name"),
            )
        if node is master:
            continue
        if "port" not in node.kind.uses:
            # Nothing but the folder distinguishes several nodes of one machine.
            machine = "" if node.kind.is_local else _canonical(node.address)
            if other := holder(("folder", machine, node.project), node, section):
                section.fault(
                    "project",
                    message(
                        "inventory.folder-taken",
                        "{node} has the same folder as {other}",
                        node=node.name,
                        other=other,
                    ),
                    message("inventory.folder-taken.remedy", "give {node} its own `project`", node=node.name),
                )
        elif other := holder(("address", _canonical(node.address), node.port), node, section):
            section.fault(
                "address",
                message(
                    "inventory.address-taken",
                    "{node} has the same address and port as {other}",
                    node=node.name,
                    other=other,
                ),
                message("inventory.address-taken.remedy", "give each node of one machine its own `port`"),
            )
        if master.address and node.port is None and _canonical(node.address) == master_address:
            section.fault(
                "address",
                message(
                    "inventory.address-of-master",
                    "{node} has the master's address {address}",
                    node=node.name,
                    address=node.address,
                ),
                message(
                    "inventory.address-of-master.remedy",
                    "remove {node} from the workers: the master runs rank 0 itself",
                    node=node.name,
                ),
            )


def _with_line(node: Node, section: Section) -> Message:
    if section.node is None:
        return Message(node.name)
    return message(
        "inventory.node-in-line",
        "{node} (line {line})",
        node=node.name,
        line=section.node.start_mark.line + 1,
    )


def _canonical(address: str) -> str:
    if _IPV4.fullmatch(address):
        return address  # was checked before, and has one spelling
    try:
        return str(ipaddress.ip_address(address))
    except ValueError:
        return address.rstrip(".").casefold()
