"""Plans the run of a project: its program, and the settings that its files give."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from msgspec.structs import replace

from fleet.data import data_of
from fleet.facts import NodeFacts
from fleet.inventory import Inventory, Node
from fleet.plan.accelerate_settings import accelerate_settings_of
from fleet.plan.mixed_precision import mixed_precision_of
from fleet.plan.model import PlanError, RunPlan
from fleet.plan.planner import plan_run
from fleet.plan.program_faults import program_faults
from fleet.runs.ids import new_run_id


def plan_project_run(
    inventory: Inventory,
    nodes: Sequence[Node],
    facts: Mapping[str, NodeFacts],
    *,
    clock: Callable[[], float],
    cpu: bool = False,
    arguments: tuple[str, ...] = (),
    shell: Mapping[str, str] | None = None,
    port: int | None = None,
) -> RunPlan:
    """Return the plan of a new run over ``nodes``, whose probes are ``facts``; raises PlanError.

    ``port`` stands over the inventory's.
    ``shell`` has the variables of the user's shell: those that the ranks will miss are named.
    """
    if faults := list(program_faults(inventory)):
        raise PlanError(faults)
    data = data_of(inventory)
    program = replace(inventory.run, args=(*inventory.run.args, *arguments))
    return plan_run(
        replace(inventory, run=program),
        facts,
        run_id=new_run_id(clock),
        port=port,
        nodes=nodes,
        mixed_precision=mixed_precision_of(inventory),
        cpu=cpu,
        accelerate=accelerate_settings_of(inventory),
        shell=shell or {},
        data=data.folders if data is not None else {},
    )
