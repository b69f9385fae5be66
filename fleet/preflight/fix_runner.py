"""Find the fixes for failed checks, and apply those that the user approves."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import aclosing

from msgspec.structs import replace

from agent.wire.message import Message, message
from agent.wire.operations import CONDITIONS, FIX, SWEEP
from agent.wire.preflight import ConditionsArgs, FixArgs
from agent.wire.runs import SweepArgs
from fleet.errors import FleetError
from fleet.events import Event, NodeProbed, Notice
from fleet.facts import NodeFacts
from fleet.fleet import Fleet
from fleet.inventory import FaultsError, Node, change_node
from fleet.preflight.fixes import Fix, FixContext, fixable, fixes_for
from fleet.preflight.options import PreflightOptions
from fleet.preflight.pairs import peer_address, source_of
from fleet.preflight.run import preflight

#: Asks the user whether to apply a fix.
Approval = Callable[[Fix], Awaitable[bool]]


async def offer_fixes(
    fleet: Fleet,
    nodes: Sequence[Node],
    failed_checks: Mapping[str, Sequence[str]],
    options: PreflightOptions,
    approve: Approval,
) -> AsyncGenerator[Event, None]:
    """Ask for each fix of ``failed_checks``, apply those that the user approves, and check again."""
    fixes = await find_fixes(fleet, nodes, failed_checks)
    if not fixes:
        nothing = message("fix.none", "dtui can fix none of the failed checks")
        yield Notice(at=fleet.clock(), level="info", text=nothing)
    for fix in fixes:
        if not await approve(fix):
            continue
        async with aclosing(apply_fix(fleet, nodes, fix, options)) as events:
            async for event in events:
                yield event


async def find_fixes(
    fleet: Fleet, nodes: Sequence[Node], failed_checks: Mapping[str, Sequence[str]]
) -> list[Fix]:
    """Return the fixes for the checks that warned or failed, by node; without nodes that do not respond."""
    failed = {name: [one for one in checks if fixable(one)] for name, checks in failed_checks.items()}
    if not any(failed.values()):
        return []
    facts: dict[str, NodeFacts] = {}
    async for event in fleet.connect(nodes):
        if isinstance(event, NodeProbed):
            facts[event.node] = event.facts
    master = fleet.inventory.master.address
    addresses = {
        node.name: peer_address(node, source_of(facts[node.name]), master, first=node is nodes[0])
        for node in nodes
        if node.name in facts
    }
    found = await asyncio.gather(
        *(
            _fixes_of_node(fleet, node, facts[node.name], addresses, failed[node.name])
            for node in nodes
            if failed.get(node.name) and node.name in facts
        )
    )
    return [fix for fixes in found for fix in fixes]


async def _fixes_of_node(
    fleet: Fleet, node: Node, facts: NodeFacts, addresses: Mapping[str, str], checks: Sequence[str]
) -> list[Fix]:
    others = {name: address for name, address in addresses.items() if name != node.name}
    try:
        link = await fleet.link(node)
        conditions = await link.call(CONDITIONS, ConditionsArgs(project=node.project, node=node.name))
    except FleetError:
        return []
    return fixes_for(FixContext(node, facts, conditions, others), checks)


async def apply_fix(
    fleet: Fleet, nodes: Sequence[Node], fix: Fix, options: PreflightOptions
) -> AsyncGenerator[Event, None]:
    """Apply the fix, report the result, and run its checks again on the node."""
    try:
        text = await _apply(fleet, fix)
        yield Notice(node=fix.node, at=fleet.clock(), level="info", text=text)
    except FleetError as error:
        remedy = error.remedy
        if fix.needs_administrator:
            remedy = message("fix.failed.remedy", "log in to {node} as an administrator", node=fix.node)
        text = message("fix.failed", "not fixed: {error}", error=error.what)
        yield Notice(node=fix.node, at=fleet.clock(), level="error", text=text, remedy=remedy)
        return
    again = replace(options, checks=fix.checks, among=nodes, announce=False)
    async for event in preflight(fleet, [fleet.inventory.node(fix.node)], again):
        yield event


async def _apply(fleet: Fleet, fix: Fix) -> Message:
    node = fleet.inventory.node(fix.node)
    if fix.interface:
        return _record_interface(fleet, fix)
    link = await fleet.link(node)
    if fix.ends:
        outcome = await link.call(SWEEP, SweepArgs(project=node.project, node=node.name, end=True))
        if left := len(outcome["left"]):
            raise FleetError(
                message("fix.processes-left", "{count:n process/processes} could not be ended", count=left),
                node=fix.node,
            )
        ended = len(outcome["ended"])
        return message("fix.processes-ended", "{count:n process/processes} ended", count=ended)
    for step, argv in enumerate(fix.commands):
        # The node builds the command itself: it runs the command that the user was shown.
        answer = await link.call(FIX, FixArgs(repair=fix.repair, values=list(fix.values), step=step))
        if answer["status"] != 0:
            raise FleetError(
                message(
                    "fix.command-failed",
                    "{program} failed with status {status}: {output}",
                    program=argv[0],
                    status=answer["status"],
                    output=" ".join(answer["output"].split())[-300:],
                ),
                node=fix.node,
            )
    return message("fix.done", "done: {fix}", fix=fix.what)


def _record_interface(fleet: Fleet, fix: Fix) -> Message:
    inventory = fleet.inventory
    if inventory.source is None:
        raise FleetError(
            message("fix.no-inventory-file", "the inventory was not loaded from a file"),
            node=fix.node,
            remedy=message("fix.no-inventory-file.remedy", "save the inventory as configs/nodes.yaml"),
        )
    try:
        change_node(inventory.source, fix.node, {"interface": fix.interface})
    except FaultsError as error:
        remedy = message(
            "fix.not-written.remedy",
            "write `interface: {adapter}` for {node} into the inventory yourself",
            adapter=fix.interface,
            node=fix.node,
        )
        raise FleetError(error.what, node=fix.node, remedy=remedy) from error
    changed = replace(inventory.node(fix.node), interface=fix.interface)
    fleet.inventory = replace(
        inventory,
        master=changed if inventory.master.name == fix.node else inventory.master,
        workers=tuple(changed if one.name == fix.node else one for one in inventory.workers),
    )
    return message(
        "fix.interface-written",
        "`interface: {adapter}` written to {file}",
        adapter=fix.interface,
        file=inventory.source.name,
    )
