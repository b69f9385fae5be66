"""``dtui deploy``: the project, its environment and its configuration onto every node."""

from __future__ import annotations

import argparse

from agent.wire.message import message
from tui.cli.basic_options import add_output_options, texts_of
from tui.cli.deploy_options import add_deploy_options
from tui.cli.options import add_inventory_options, selected
from tui.cli.run_options import add_run_options, run_inventory_of
from tui.cli.subparsers import Subparsers


def add(subparsers: Subparsers) -> None:
    """Declare the command."""
    parser = subparsers.add_parser(
        "deploy",
        help=message("help.deploy", "send changed files, build environments, write configurations"),
    )
    add_inventory_options(parser)
    add_run_options(parser)
    add_deploy_options(parser)
    add_output_options(parser)
    parser.set_defaults(handler=run)


def run(args: argparse.Namespace) -> int:
    """Deploy to every node that passes the first checks."""
    from fleet import commands
    from tui.cli.secrets import asked_secrets
    from tui.cli.steps import deploy_options_of, run_command

    inventory = run_inventory_of(args, "deploy")
    nodes = selected(inventory, args)
    needs_secrets = bool(inventory.run.setup) and not args.dry_run
    secrets = asked_secrets(inventory, texts_of(args)) if needs_secrets else {}
    options = deploy_options_of(args, secrets)
    steps = commands.deploy_dry_run(options) if args.dry_run else commands.deploy(options)
    return run_command(args, inventory, nodes, steps)
