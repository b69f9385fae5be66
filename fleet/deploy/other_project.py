"""A folder on a node that another project was deployed to."""

from __future__ import annotations

from agent.wire.message import message
from fleet.deploy.compare import Plan
from fleet.deploy.options import DeployOptions
from fleet.errors import FleetError
from fleet.inventory import Node


async def ask_before_replacing(plan: Plan, node: Node, options: DeployOptions) -> None:
    """Ask before files of another project are deleted or replaced; raises FleetError after a no."""
    if not plan.other or not (plan.delete or plan.replaced):
        return
    if options.confirm is not None:
        question = message(
            "deploy.other-project-question",
            "{folder} on {node} has another project, from {other!r}. This deploy deletes {deleted:n file} "
            "of it and replaces {replaced:n file}. Continue?",
            folder=node.project,
            node=node.name,
            other=plan.other,
            deleted=len(plan.delete),
            replaced=len(plan.replaced),
        )
        if await options.confirm(question):
            return
    raise FleetError(
        message(
            "deploy.other-project",
            "{folder} has another project, from {other!r}; nothing was changed",
            folder=node.project,
            other=plan.other,
        ),
        remedy=message(
            "deploy.other-project.remedy",
            "set another folder as `project` of {node} in nodes.yaml, or deploy in a terminal and agree",
            node=node.name,
        ),
    )
