"""``dtui status``: the runs of this project, and how the ranks of one are."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from tui.cli.subparsers import Subparsers

if TYPE_CHECKING:
    from fleet.inventory import Inventory
    from fleet.runs import NodeRuns
    from fleet.telemetry import Meaning
    from tui.i18n import Texts


def add(subparsers: Subparsers) -> None:
    """Declare the command."""
    from tui.cli.options import add_inventory_options, add_language_option

    parser = subparsers.add_parser("status", help="how a run is, asked on its nodes now")
    parser.add_argument("run", nargs="?", help="id of the run (default: the newest)")
    parser.add_argument("--all", action="store_true", help="list all runs of the project instead")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    add_inventory_options(parser)
    add_language_option(parser)
    parser.set_defaults(handler=run)


def run(args: argparse.Namespace) -> int:
    """Ask every node of the run; 1 when the run failed or a node does not answer."""
    import asyncio
    import json

    from fleet.fleet import Fleet
    from fleet.runs import find_runs, node_runs
    from tui.cli.exits import DONE, FAILED
    from tui.cli.options import home_of, inventory_of, texts_of
    from tui.cli.prompts import TerminalPrompts
    from tui.cli.runs import chosen_run
    from tui.load_words import all_words

    inventory, texts = inventory_of(args), texts_of(args)
    if args.all:
        for summary in find_runs(home_of(inventory)):
            outcome = summary.finished.outcome if summary.finished else "not finished"
            print(f"{summary.run}  world size {summary.plan.world_size}  {outcome}")
        return DONE
    chosen = chosen_run(home_of(inventory), args.run)
    members = {part.node for part in chosen.plan.nodes}
    nodes = [node for node in inventory.nodes if node.name in members]

    async def ask() -> tuple[NodeRuns, ...]:
        async with Fleet(inventory, home=home_of(inventory), prompts=TerminalPrompts(texts)) as fleet:
            return await node_runs(fleet, chosen.run, nodes)

    answers = asyncio.run(ask())
    finished = chosen.finished
    load = _load(inventory, chosen.run)
    if args.json:
        print(
            json.dumps(
                {
                    "run": chosen.run,
                    "outcome": finished.outcome if finished else None,
                    "load": _load_record(load),
                    "nodes": [
                        {
                            "node": answer.node,
                            "runs": answer.runs,
                            "error": answer.error and str(answer.error),
                        }
                        for answer in answers
                    ],
                },
                ensure_ascii=False,
            )
        )
    else:
        cause = f": {texts.said(finished.cause)}" if finished and finished.cause else ""
        outcome = f"{texts.word('outcome', finished.outcome)}{cause}" if finished else ""
        told = texts.said(f"run {chosen.run}, world size {chosen.plan.world_size}")
        print(f"{told} {outcome}".rstrip())
        if words := all_words(load, texts):
            print(f"  {texts('runs.load').lower()}: {'; '.join(words)}")
        for answer in answers:
            for line in _lines(answer, texts):
                print(line)
    failed = any(answer.error for answer in answers) or (
        finished is not None and finished.outcome == "failed"
    )
    states = {str(entry["state"]) for answer in answers for entry in answer.runs}
    return FAILED if failed or states & {"failed", "lost"} else DONE


def _load(inventory: Inventory, run: str) -> Meaning:
    """Return what the run's load meant, from what consoles have kept of it."""
    from fleet.events import LogChunk
    from fleet.runs import RunStore
    from fleet.telemetry import Meter, load_settings, read_tallies
    from fleet.telemetry.settings import DEFAULT_FILE
    from tui.cli.options import home_of

    store = RunStore(home_of(inventory), run)
    meter = Meter(load_settings(inventory.project / DEFAULT_FILE), lambda _: read_tallies(store.folder))
    return meter.take_all(store.events(without=LogChunk)).meaning(run)


def _load_record(load: Meaning) -> dict[str, Any]:
    slow = load.straggler
    return {
        "bound": load.bound.kind,
        "data": load.bound.data,
        "communication": load.bound.communication,
        "straggler": None if slow is None else {"rank": slow.rank, "reason": slow.reason},
        "training": load.training,
        "joules": load.joules,
        "cost": load.cost,
        "currency": load.currency,
    }


def _lines(answer: NodeRuns, texts: Texts) -> list[str]:
    if answer.error:
        return [f"  {answer.node}: {texts.said(answer.error.what)}"]
    if not answer.runs:
        return [f"  {answer.node}: {texts.said('does not know this run')}"]
    entry = answer.runs[0]
    ranks = (f"    {texts.said(_rank(rank))}" for rank in entry["ranks"])
    return [f"  {answer.node}: {texts.word('outcome', entry['state'])}", *ranks]


def _rank(rank: dict[str, Any]) -> str:
    if rank.get("exit_code") is not None:
        if rank.get("stopped"):
            return f"rank {rank['rank']}: exited with {rank['exit_code']}, stopped"
        return f"rank {rank['rank']}: exited with {rank['exit_code']}"
    if rank.get("pid") is not None:
        return f"rank {rank['rank']}: running, pid {rank['pid']}"
    return f"rank {rank['rank']}: not started"
