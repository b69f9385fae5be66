"""Lays out a run over the nodes that take part."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import get_args

from fleet.inventory import Fault, Inventory, Node
from fleet.inventory.model import LaunchMethod
from fleet.nodeset import fold
from fleet.plan.model import NodePlan, PlanError, RunPlan
from fleet.plan.network import backend_of, interface_of, master_address_of
from fleet.plan.processes import processes_of
from fleet.plan.shares import Facts, Share, shares_of

MIXED_PRECISIONS = ("no", "fp16", "bf16")


def plan_run(
    inventory: Inventory,
    facts: Mapping[str, Facts],
    *,
    run_id: str,
    nodes: Sequence[Node] | None = None,
    port: int | None = None,
    method: str | None = None,
    mixed_precision: str = "no",
    cpu: bool = False,
) -> RunPlan:
    """Return the plan of a run over ``nodes`` (all by default); raises PlanError with all faults.

    ``facts`` is node name -> the agent's ``probe``. Nodes keep the inventory's order, so the master is rank
    0 when it takes part, else the first of the others is. ``port`` and ``method`` stand over the
    inventory's; ``cpu`` trains on the CPU even where there are GPUs.
    """
    port = inventory.run.port if port is None else port
    method = inventory.run.method if method is None else method
    chosen = {node.name for node in (inventory.nodes if nodes is None else nodes)}
    faults = _settings_faults(port, method, mixed_precision)
    taking_part = [node for node in inventory.nodes if node.name in chosen]
    if not taking_part:
        raise PlanError([*faults, Fault("no node is selected", "name at least one of the inventory")])
    shares = shares_of(taking_part, facts, cpu, faults)
    if len(shares) < len(taking_part):
        raise PlanError(faults)
    backend = backend_of(inventory.run.backend, shares, faults)
    address = master_address_of(inventory, shares, faults)
    interfaces = [interface_of(share, address, share is shares[0], faults) for share in shares]
    if faults:
        raise PlanError(faults)
    plan = RunPlan(
        run=run_id,
        method=method,
        backend=backend,
        cpu=not any(share.gpus for share in shares),
        mixed_precision=mixed_precision,
        world_size=sum(share.ranks for share in shares),
        master_address=address,
        master_port=port,
        nodes=_parts(shares, interfaces),
        notes=_notes(method, cpu, shares, interfaces),
    )
    parts = tuple(
        dataclasses.replace(part, processes=processes_of(plan, part, share.node, inventory.run, share.system))
        for part, share in zip(plan.nodes, shares, strict=True)
    )
    return dataclasses.replace(plan, nodes=parts)


def _settings_faults(port: int, method: str, mixed_precision: str) -> list[Fault]:
    faults = []
    if not 1024 <= port <= 65535:
        faults.append(Fault(f"port {port} can't be the rendezvous", "use one from 1024 to 65535"))
    if method not in get_args(LaunchMethod):
        faults.append(Fault(f"unknown launch method {method!r}", "use ranks or accelerate"))
    if mixed_precision not in MIXED_PRECISIONS:
        faults.append(
            Fault(f"unknown mixed precision {mixed_precision!r}", f"use one of {', '.join(MIXED_PRECISIONS)}")
        )
    return faults


def _parts(shares: Sequence[Share], interfaces: Sequence[str | None]) -> tuple[NodePlan, ...]:
    parts = []
    first_rank = 0
    for machine_rank, (share, interface) in enumerate(zip(shares, interfaces, strict=True)):
        parts.append(
            NodePlan(
                node=share.node.name,
                machine_rank=machine_rank,
                first_rank=first_rank,
                local_world_size=share.ranks,
                gpus=share.gpus,
                gpus_chosen=share.chosen,
                interface=interface,
                processes=(),
            )
        )
        first_rank += share.ranks
    return tuple(parts)


def _notes(
    method: str, cpu: bool, shares: Sequence[Share], interfaces: Sequence[str | None]
) -> tuple[str, ...]:
    notes = []
    hoped = any(share.node.gpus is None for share in shares)
    if hoped and not cpu and not any(share.gpus for share in shares):
        notes.append("no node has a GPU that works, so the ranks train on the CPU")
    pairs = list(zip(shares, interfaces, strict=True))
    unknown = [share.node.name for share, interface in pairs if interface is None]
    if unknown and len(shares) > 1:
        notes.append(
            f"{fold(unknown)}: which adapter leads to the other nodes is not known, so torch guesses; "
            "if the ranks do not join, set `interface`"
        )
    foreign = [share.node.name for share, interface in pairs if interface and not interface.isascii()]
    if foreign:
        notes.append(
            f"{fold(foreign)}: gloo may not find an adapter whose name is not ASCII; "
            "if the ranks do not join, rename it in Windows"
        )
    windows = [share.node.name for share in shares if share.system == "Windows"]
    if method == "accelerate" and windows:
        notes.append(
            f"{fold(windows)}: torch for Windows has no libuv, so accelerate launch goes through "
            "a shim of dtui's; `method: ranks` needs none"
        )
    return tuple(notes)
