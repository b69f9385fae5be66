"""What a node has reported about itself, cut down to the part of the machine that the inventory gives it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent.wire.facts import Facts, ProbeArgs
from agent.wire.message import message
from fleet.addresses import ip_address
from fleet.errors import InvalidAnswer

if TYPE_CHECKING:  # events hold facts, and what reads an inventory brings PyYAML to the first frame
    from fleet.inventory import Inventory, Node


class NodeFacts(Facts):
    """The facts with the GPUs that are the node's; ``gpus_of_others`` are the machine's other GPUs."""

    gpus_of_others: list[int]


def system_of(facts: NodeFacts | None) -> str:
    """Return the node's operating system (``Windows``, ``Linux``), empty before a probe."""
    return facts["os"]["system"] if facts else ""


def probe_args(node: Node, inventory: Inventory) -> ProbeArgs:
    """Return the arguments of ``probe`` for a node."""
    return {"project": node.project, "master_address": inventory.master.address}


def own_part(node: Node, facts: Facts) -> NodeFacts:
    """Return the facts with the GPUs that ``node.gpus`` gives; raises InvalidAnswer for a false address.

    The agent's ``telemetry`` makes the same choice, so that all parts see the same GPUs.
    """
    _check_addresses(node, facts)
    gpus = facts["gpus"]
    if node.gpus is None:
        own = gpus
    elif isinstance(node.gpus, int):
        own = gpus[: node.gpus]
    else:
        own = [gpu for gpu in gpus if gpu["index"] in node.gpus]
    others = [gpu["index"] for gpu in gpus if gpu not in own]
    return {**facts, "gpus": own, "gpus_of_others": others}


def _check_addresses(node: Node, facts: Facts) -> None:
    """Raise InvalidAnswer for an invalid IP address: the other nodes would connect to it."""
    route = facts["route"]
    reported = [("route.source", route["source"]), ("route.master_ip", route["master_ip"])]
    reported += [
        (f"adapters[{number}].addresses", text)
        for number, adapter in enumerate(facts["adapters"])
        for text in adapter["addresses"]
    ]
    for place, text in reported:
        if text is not None and ip_address(text) is None:
            why = message("facts.not-an-address", "`{key}` is not an IP address", key=place)
            raise InvalidAnswer("probe", why, node=node.name)
