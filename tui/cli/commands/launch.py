"""``dtui launch``: start a run on nodes that were deployed to."""

from __future__ import annotations

import argparse

from agent.wire.message import message
from tui.cli.basic_options import add_output_options, texts_of
from tui.cli.launch_options import add_launch_options, launch_inventory_of
from tui.cli.options import add_inventory_options, selected
from tui.cli.run_options import add_run_options
from tui.cli.subparsers import Subparsers


def add(subparsers: Subparsers) -> None:
    """Declare the command."""
    parser = subparsers.add_parser(
        "launch", help=message("help.launch", "start a run on deployed nodes and follow it")
    )
    add_inventory_options(parser)
    add_run_options(parser)
    add_launch_options(parser)
    add_output_options(parser)
    parser.set_defaults(handler=run)


def run(args: argparse.Namespace) -> int:
    """Write the configurations, start all ranks, follow them."""
    from fleet import commands
    from fleet.deploy import DeployOptions
    from tui.cli.secrets import asked_secrets
    from tui.cli.steps import run_command, start_of

    inventory = launch_inventory_of(args, "launch")
    nodes = selected(inventory, args)
    secrets = asked_secrets(inventory, texts_of(args))
    options = DeployOptions(setup=args.setup, secrets=secrets)
    steps = commands.launch(start_of(args, secrets), options, force=args.force)
    return run_command(args, inventory, nodes, steps)
