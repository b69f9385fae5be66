"""Lays out a run over its nodes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import cast, get_args

from msgspec.structs import replace

from agent.wire.message import Message, message
from fleet.facts import NodeFacts
from fleet.inventory import Fault, Inventory, Node
from fleet.launch_method import LaunchMethod
from fleet.nodeset import fold
from fleet.plan.model import NodePlan, PlanError, RunPlan
from fleet.plan.network import backend_of, interface_of, master_address_of
from fleet.plan.processes import processes_of
from fleet.plan.rank_environment import of_user
from fleet.plan.shares import Share, shares_of
from fleet.plan.variable_notes import variable_notes

MIXED_PRECISIONS = ("no", "fp16", "bf16")


def plan_run(
    inventory: Inventory,
    facts: Mapping[str, NodeFacts],
    *,
    run_id: str,
    nodes: Sequence[Node] | None = None,
    port: int | None = None,
    method: str | None = None,
    mixed_precision: str = "no",
    cpu: bool = False,
    accelerate: Mapping[str, object] | None = None,
    shell: Mapping[str, str] | None = None,
    data: Mapping[str, str] = MappingProxyType({}),
) -> RunPlan:
    """Return the plan of a run over ``nodes`` (all by default); raises PlanError with all faults.

    ``facts`` is node name -> the agent's ``probe``. Nodes keep the inventory's order, so the master is rank
    0 when it takes part, else the first of the others is. ``port`` and ``method`` stand over the
    inventory's; ``cpu`` trains on the CPU even where there are GPUs; ``accelerate`` is the user's Accelerate
    configuration; ``shell`` are the variables of dtui's own process, which the ranks do not get; ``data`` is
    node name -> its data folder.
    """
    port = inventory.run.port if port is None else port
    method = inventory.run.method if method is None else method
    chosen = {node.name for node in (inventory.nodes if nodes is None else nodes)}
    faults = _settings_faults(port, method, mixed_precision)
    taking_part = [node for node in inventory.nodes if node.name in chosen]
    if not taking_part:
        what = message("plan.no-node", "no node is selected")
        remedy = message("plan.no-node.remedy", "select at least one node of the inventory")
        raise PlanError([*faults, Fault(what, remedy)])
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
        method=cast(LaunchMethod, method),
        backend=backend,
        cpu=not any(share.gpus for share in shares),
        mixed_precision=mixed_precision,
        world_size=sum(share.ranks for share in shares),
        master_address=address,
        master_port=port,
        nodes=_parts(shares, interfaces),
        notes=_notes(method, cpu, shares, interfaces),
        workdir=inventory.run.workdir,
        accelerate=dict(accelerate or {}),
    )
    parts = []
    for bare, share in zip(plan.nodes, shares, strict=True):
        part = replace(bare, variables=of_user(plan, bare, inventory.run, share.node))
        processes = processes_of(plan, part, share, inventory.run, cpu=cpu, data=data.get(part.node))
        parts.append(replace(part, processes=processes))
    notes = variable_notes(parts, facts, inventory.run.secrets, shell or {})
    return replace(plan, nodes=tuple(parts), notes=(*plan.notes, *notes))


def _settings_faults(port: int, method: str, mixed_precision: str) -> list[Fault]:
    faults = []
    if not 1024 <= port <= 65535:
        faults.append(
            Fault(
                message("plan.port", "port {port} cannot be the rendezvous port", port=port),
                message("plan.port.remedy", "use a port from 1024 to 65535"),
            )
        )
    if method not in get_args(LaunchMethod):
        faults.append(
            Fault(
                message("plan.method", "unknown launch method {method!r}", method=method),
                message("plan.method.remedy", "use ranks or accelerate"),
            )
        )
    if mixed_precision not in MIXED_PRECISIONS:
        faults.append(
            Fault(
                message("plan.mixed-precision", "unknown mixed precision {name!r}", name=mixed_precision),
                message("plan.mixed-precision.remedy", "use one of {names}", names=MIXED_PRECISIONS),
            )
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
                windows=share.system == "Windows",
            )
        )
        first_rank += share.ranks
    return tuple(parts)


def _notes(
    method: str, cpu: bool, shares: Sequence[Share], interfaces: Sequence[str | None]
) -> tuple[Message, ...]:
    notes = []
    hoped = any(share.node.gpus is None for share in shares)
    if hoped and not cpu and not any(share.gpus for share in shares):
        notes.append(message("plan.cpu-only", "no node has a usable GPU, so the ranks train on the CPU"))
    pairs = list(zip(shares, interfaces, strict=True))
    unknown = [share.node.name for share, interface in pairs if interface is None]
    if unknown and len(shares) > 1:
        notes.append(
            message(
                "plan.adapter-unknown",
                "{nodes}: the network adapter towards the other nodes is unknown, so torch chooses one; "
                "if the ranks do not join, set `interface`",
                nodes=fold(unknown),
            )
        )
    foreign = [share.node.name for share, interface in pairs if interface and not interface.isascii()]
    if foreign:
        notes.append(
            message(
                "plan.adapter-name",
                "{nodes}: gloo may not find a network adapter whose name is not ASCII; "
                "if the ranks do not join, rename the adapter",
                nodes=fold(foreign),
            )
        )
    windows = [share.node.name for share in shares if share.system == "Windows"]
    if method == "accelerate" and windows:
        notes.append(
            message(
                "plan.store-shim",
                "{nodes}: torch for Windows has no libuv, so dtui starts `accelerate launch` through "
                "a shim; `method: ranks` does not need it",
                nodes=fold(windows),
            )
        )
    return tuple(notes)
