"""The layout of the run over the nodes."""

from __future__ import annotations

from typing import Final

from agent.wire.message import message
from fleet.nodeset import expand
from fleet.plan import PlanError, RunPlan, plan_run
from fleet.preflight.check import Check, Subject, Verdict, fail, ok, skip
from fleet.preflight.observations import FACTS


def plan(subject: Subject) -> Verdict:
    """Evaluate whether the nodes fit together as one run, and report the layout."""
    result = plan_of(subject)
    if isinstance(result, RunPlan):
        return _layout(subject, result)
    own = [fault for fault in result.faults if _concerns(fault.key, subject)]
    if not own:
        return skip(message("preflight.plan-others", "other nodes prevent the run from being planned"))
    return fail(
        message("preflight.plan-faults", "{faults:; }", faults=[fault.what for fault in own]),
        message("preflight.plan-faults.remedy", "{remedies:; }", remedies=[fault.remedy for fault in own]),
    )


def _layout(subject: Subject, result: RunPlan) -> Verdict:
    part = next((one for one in result.nodes if one.node == subject.node.name), None)
    if part is None:
        return skip(message("preflight.plan-not-included", "not part of the run"))
    if part.local_world_size == 1:
        ranks = message("preflight.plan-rank", "rank {rank}", rank=part.first_rank)
    else:
        last = part.first_rank + part.local_world_size - 1
        ranks = message("preflight.plan-ranks", "ranks {first}-{last}", first=part.first_rank, last=last)
    return ok(
        message(
            "preflight.plan",
            "{ranks} of {world_size}, {backend}, rendezvous {address}:{port}",
            ranks=ranks,
            world_size=result.world_size,
            backend=result.backend,
            address=result.master_address,
            port=result.master_port,
        )
    )


def plan_of(subject: Subject) -> RunPlan | PlanError:
    """Return the plan that a launch would make now, or why there is none."""
    return subject.once(_plan)


def _plan(subject: Subject) -> RunPlan | PlanError:
    situation = subject.situation
    facts = {
        node.name: found for node in situation.nodes if (found := subject.of(node.name, FACTS)) is not None
    }
    nodes = [node for node in situation.nodes if node.name in facts]
    try:
        return plan_run(situation.inventory, facts, run_id="preflight", nodes=nodes, cpu=situation.cpu)
    except PlanError as error:
        return error


def _concerns(key: str, subject: Subject) -> bool:
    if not key:
        return subject.hosts_rank_0
    return subject.node.name in expand(key)


CHECKS: Final = (
    Check("plan", message("check.plan", "layout of the run"), "machine",
          message("check.plan.why", "ranks, backend and rendezvous must fit together"),
          (FACTS,), plan, "fleet"),
)  # fmt: skip
