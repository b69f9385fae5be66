"""Runs the steps of a command on the nodes that its options select."""

from __future__ import annotations

import argparse
import os
from collections.abc import Mapping, Sequence

from fleet.deploy import DeployOptions
from fleet.inventory import Inventory, Node
from fleet.runs import LaunchOptions, WatchOptions
from fleet.runs.steps import Launch, RunToEnd
from fleet.secrets import Secret
from fleet.steps import Job, Step, run_steps
from tui.cli.basic_options import texts_of
from tui.cli.output import is_terminal
from tui.cli.printers import make_printer
from tui.cli.prompts import TerminalConfirmation
from tui.cli.session import run_operation
from tui.operations.run_controller import controller_keeper


def run_command(
    args: argparse.Namespace, inventory: Inventory, nodes: Sequence[Node], steps: Sequence[Step]
) -> int:
    """Run the steps and return the exit status."""
    printer = make_printer(json=args.json, texts=texts_of(args))
    return run_operation(
        inventory,
        printer,
        lambda fleet: run_steps(Job(fleet, nodes, cpu=args.cpu, shell=os.environ), steps),
    )


def deploy_options_of(args: argparse.Namespace, secrets: Mapping[str, Secret]) -> DeployOptions:
    """Return the deploy options of the command line; in a terminal they may ask the user."""
    confirm = TerminalConfirmation(texts_of(args)).ask if is_terminal("stdin") else None
    return DeployOptions(extras=tuple(args.extra), setup=args.setup, secrets=secrets, confirm=confirm)


def start_of(args: argparse.Namespace, secrets: Mapping[str, Secret]) -> Launch | RunToEnd:
    """Return the step that starts the run with the options."""
    options = LaunchOptions(max_restarts=args.max_restarts, force=args.force, secrets=secrets)
    # 0 is no limit.
    watching = WatchOptions(
        start_timeout=args.start_timeout or None,
        stall_timeout=args.stall_timeout or None,
        unreachable_limit=args.node_timeout or None,
    )
    keeper = controller_keeper()
    if args.detach:
        return Launch(options, watching, keeper)
    return RunToEnd(options, watching, keeper)
