"""A run laid out before anything starts: ranks over nodes, where they meet, what each is started with."""

from __future__ import annotations

from fleet.plan.model import INTERPRETER, NodePlan, PlanError, PlanFormatError, ProcessPlan, RunPlan
from fleet.plan.planner import plan_run

__all__ = [
    "INTERPRETER",
    "NodePlan",
    "PlanError",
    "PlanFormatError",
    "ProcessPlan",
    "RunPlan",
    "plan_run",
]
