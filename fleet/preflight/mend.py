"""Find the fixes for what a preflight saw, and apply those that a person agrees to."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import replace
from typing import Any

from fleet.errors import FleetError
from fleet.events import Event, NodeProbed, Notice
from fleet.fleet import Fleet
from fleet.inventory import FaultsError, Node, change_node
from fleet.preflight.fixes import Fix, Patient, fixable, fixes_for
from fleet.preflight.options import PreflightOptions
from fleet.preflight.pairs import peer_address, source_of
from fleet.preflight.run import preflight

#: Asks a person whether one fix may be applied.
Agreed = Callable[[Fix], Awaitable[bool]]


async def offer(
    fleet: Fleet,
    nodes: Sequence[Node],
    troubles: Mapping[str, Sequence[str]],
    options: PreflightOptions,
    agreed: Agreed,
) -> AsyncGenerator[Event, None]:
    """Ask for each fix of ``troubles``, apply those that are ``agreed`` to, and check again."""
    fixes = await find_fixes(fleet, nodes, troubles)
    if not fixes:
        yield Notice(at=fleet.clock(), level="info", text="there is nothing that dtui can mend")
    for fix in fixes:
        if not await agreed(fix):
            continue
        async with aclosing(mend(fleet, nodes, fix, options)) as events:
            async for event in events:
                yield event


async def find_fixes(fleet: Fleet, nodes: Sequence[Node], troubles: Mapping[str, Sequence[str]]) -> list[Fix]:
    """Return what could be mended of ``troubles``, node by node; nodes that don't answer are left out.

    ``troubles`` are the names of the checks that warned or failed on each node.
    """
    troubled = {name: [one for one in checks if fixable(one)] for name, checks in troubles.items()}
    if not any(troubled.values()):
        return []
    facts: dict[str, dict[str, Any]] = {}
    async for event in fleet.connect(nodes):
        if isinstance(event, NodeProbed):
            facts[event.node] = event.facts
    concerned = [node for node in nodes if troubled.get(node.name) and node.name in facts]
    found = await asyncio.gather(
        *(_of_node(fleet, node, nodes, facts, troubled[node.name]) for node in concerned)
    )
    return [fix for fixes in found for fix in fixes]


async def _of_node(
    fleet: Fleet, node: Node, nodes: Sequence[Node], facts: Mapping[str, Any], checks: Sequence[str]
) -> list[Fix]:
    master = fleet.inventory.master.address
    others = tuple(
        dict.fromkeys(
            peer_address(other, source_of(facts[other.name]), master, first=other is nodes[0])
            for other in nodes
            if other is not node and other.name in facts
        )
    )
    try:
        link = await fleet.link(node)
        conditions = await link.call("conditions", project=node.project)
    except FleetError:
        return []
    return fixes_for(Patient(node, facts[node.name], conditions, others), checks)


async def mend(
    fleet: Fleet, nodes: Sequence[Node], fix: Fix, options: PreflightOptions
) -> AsyncGenerator[Event, None]:
    """Apply the fix, tell what came of it, and run its checks again on the node."""
    try:
        told = await _apply(fleet, fix)
        yield Notice(node=fix.node, at=fleet.clock(), level="info", text=told)
    except FleetError as error:
        remedy = "log in there as an administrator" if fix.needs_administrator else error.remedy
        yield Notice(
            node=fix.node, at=fleet.clock(), level="error", text=f"not mended: {error.what}", remedy=remedy
        )
        return
    again = replace(options, checks=fix.checks, among=nodes, announce=False)
    async for event in preflight(fleet, [fleet.inventory.node(fix.node)], again):
        yield event


async def _apply(fleet: Fleet, fix: Fix) -> str:
    node = fleet.inventory.node(fix.node)
    if fix.interface:
        return _record_interface(fleet, fix)
    link = await fleet.link(node)
    if fix.ends:
        outcome = await link.call("sweep", project=node.project, end=True)
        if outcome["left"]:
            raise FleetError(f"{len(outcome['left'])} processes could not be ended", node=fix.node)
        return f"{len(outcome['ended'])} processes ended"
    for argv in fix.commands:
        answer = await link.call("fix", argv=list(argv))
        if answer["status"] != 0:
            said = " ".join(answer["output"].split())[-300:]
            raise FleetError(f"{argv[0]} ended with status {answer['status']}: {said}", node=fix.node)
    return f"done: {fix.what}"


def _record_interface(fleet: Fleet, fix: Fix) -> str:
    inventory = fleet.inventory
    if inventory.source is None:
        raise FleetError("the inventory is no file", node=fix.node, remedy="save it as configs/nodes.yaml")
    try:
        change_node(inventory.source, fix.node, {"interface": fix.interface})
    except FaultsError as error:
        raise FleetError(str(error), node=fix.node, remedy="write it by hand") from error
    changed = replace(inventory.node(fix.node), interface=fix.interface)
    fleet.inventory = replace(
        inventory,
        master=changed if inventory.master.name == fix.node else inventory.master,
        workers=tuple(changed if one.name == fix.node else one for one in inventory.workers),
    )
    return f"`interface: {fix.interface}` written to {inventory.source.name}"
