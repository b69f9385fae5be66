"""The whole way: preflight, plan, deploy, launch, watch. What the guide calls the master's step."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import field, replace
from typing import Any

import yaml

from fleet.deploy import DeployOptions, deploy
from fleet.events import CheckFinished, Event, NodeDeployed, NodeProbed, Notice
from fleet.fleet import Fleet
from fleet.frozen import frozen
from fleet.inventory import Fault, Inventory, Node
from fleet.node_files import node_files
from fleet.nodeset import fold
from fleet.plan import PlanError, RunPlan, plan_run
from fleet.preflight import AFTER, PreflightOptions, preflight
from fleet.runs import LaunchOptions, WatchOptions, announce, launch, new_run_id, run_to_end


@frozen(kw_only=True)
class UpOptions:
    """The defaults go all the way with the inventory's settings."""

    deploying: DeployOptions = field(default_factory=DeployOptions)
    launching: LaunchOptions = field(default_factory=LaunchOptions)
    watching: WatchOptions = field(default_factory=WatchOptions)
    #: Stop after the deploy.
    deploy_only: bool = False
    #: Stop once all ranks have started; the run goes on by itself.
    detach: bool = False
    #: Train on the CPU even where there are GPUs.
    cpu: bool = False
    #: Arguments that the program gets after the inventory's.
    arguments: tuple[str, ...] = ()


async def up(fleet: Fleet, nodes: Sequence[Node], options: UpOptions) -> AsyncGenerator[Event, None]:
    """Yield the events of every step; a step that failed on a node is the last one.

    Raises PlanError when the nodes can't form a run, LaunchFailed when it did not start.
    """
    facts: dict[str, dict[str, Any]] = {}
    unfit: set[str] = set()
    async with aclosing(preflight(fleet, nodes, PreflightOptions(cpu=options.cpu))) as checks:
        async for event in checks:
            if isinstance(event, NodeProbed):
                facts[event.node] = event.facts
            elif isinstance(event, CheckFinished) and event.status == "fail":
                unfit.add(event.node)
            yield event
    if unfit:
        yield _halt(fleet, nodes, unfit, "did not pass the checks, so nothing was deployed")
        return

    plan = lay_out(fleet, nodes, facts, cpu=options.cpu, arguments=options.arguments)
    failed: set[str] = set()
    async with aclosing(deploy(fleet, nodes, _configured(options.deploying, plan))) as deploying:
        async for event in deploying:
            if isinstance(event, NodeDeployed) and not event.ok:
                failed.add(event.node)
            yield event
    if failed:
        yield _halt(fleet, nodes, failed, "could not be deployed to, so nothing was started")
        return

    if not options.deploying.dry_run:
        late = PreflightOptions(checks=AFTER, cpu=options.cpu, announce=False)
        async with aclosing(preflight(fleet, nodes, late)) as checks:
            async for event in checks:
                if isinstance(event, CheckFinished) and event.status == "fail":
                    unfit.add(event.node)
                yield event
    if unfit:
        yield _halt(fleet, nodes, unfit, "did not pass the checks after the deploy, so nothing was started")
        return

    if options.deploying.dry_run:
        for event in announce(plan, fleet.clock()):
            yield event
    elif not options.deploy_only:
        if options.detach:
            run = launch(fleet, plan, options.launching)
        else:
            run = run_to_end(fleet, plan, options.launching, options.watching)
        async with aclosing(run) as running:
            async for event in running:
                yield event


def lay_out(
    fleet: Fleet,
    nodes: Sequence[Node],
    facts: Mapping[str, dict[str, Any]],
    *,
    cpu: bool = False,
    arguments: tuple[str, ...] = (),
) -> RunPlan:
    """Return the plan of a new run over ``nodes``, whose probes are ``facts``; raises PlanError."""
    script = fleet.inventory.run.script
    if script is not None and not (fleet.inventory.project / script).is_file():
        remedy = "name a file of the project as `run: {script: ...}` in nodes.yaml, or with --script"
        raise PlanError([Fault(f"the project {fleet.inventory.project} has no {script}", remedy)])
    program = replace(fleet.inventory.run, args=(*fleet.inventory.run.args, *arguments))
    return plan_run(
        replace(fleet.inventory, run=program),
        facts,
        run_id=new_run_id(fleet.clock),
        nodes=nodes,
        mixed_precision=mixed_precision_of(fleet.inventory),
        cpu=cpu,
    )


def mixed_precision_of(inventory: Inventory) -> str:
    """Return ``training.mixed_precision`` of the run's configuration file, ``no`` without one.

    The program reads the same file; whatever else is in it, or wrong with it, is the program's to say.
    """
    handed = inventory.run.config_handed
    if handed is None:
        return "no"
    try:
        config = yaml.safe_load((inventory.project / handed).read_text("utf-8"))
        return str(config["training"]["mixed_precision"])
    except (OSError, UnicodeDecodeError, yaml.YAMLError, KeyError, TypeError):
        return "no"


def _configured(options: DeployOptions, plan: RunPlan) -> DeployOptions:
    return replace(options, configure=lambda node: node_files(plan, node.name))


def _halt(fleet: Fleet, nodes: Sequence[Node], failed: set[str], what: str) -> Notice:
    return Notice(
        at=fleet.clock(),
        level="error",
        text=f"{len(failed)} of {len(nodes)} nodes {what}: {fold(sorted(failed))}",
        remedy="put right what is said above and run it again, or leave those nodes out with --on",
    )
