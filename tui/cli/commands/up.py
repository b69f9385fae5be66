"""``dtui up``: preflight, deploy and launch in one command."""

from __future__ import annotations

import argparse

from agent.wire.message import message
from tui.cli.basic_options import add_output_options, texts_of
from tui.cli.deploy_options import add_deploy_options
from tui.cli.launch_options import add_launch_options, launch_inventory_of
from tui.cli.options import add_inventory_options, selected
from tui.cli.run_options import add_run_options
from tui.cli.subparsers import Subparsers


def add(subparsers: Subparsers) -> None:
    """Declare the command."""
    parser = subparsers.add_parser(
        "up", help=message("help.up", "run preflight, deploy and launch in one command")
    )
    add_inventory_options(parser)
    add_run_options(parser)
    add_deploy_options(parser)
    add_launch_options(parser)
    parser.add_argument(
        "--skip-deploy",
        action="store_true",
        help=message("help.up.skip-deploy", "use the files and environments of the last deploy"),
    )
    add_output_options(parser)
    parser.set_defaults(handler=run)


def run(args: argparse.Namespace) -> int:
    """Run all steps; stop at the first that fails on a node."""
    from fleet import commands
    from tui.cli.secrets import asked_secrets
    from tui.cli.steps import deploy_options_of, run_command, start_of

    inventory = launch_inventory_of(args, "up")
    nodes = selected(inventory, args)
    # Asked first: a run that takes minutes to deploy does not stop to ask at its end.
    secrets = {} if args.dry_run else asked_secrets(inventory, texts_of(args))
    options = deploy_options_of(args, secrets)
    if args.dry_run and args.skip_deploy:
        steps = commands.launch_dry_run(force=args.force)
    elif args.dry_run:
        steps = commands.up_dry_run(options)
    elif args.skip_deploy:
        steps = commands.launch(start_of(args, secrets), options, force=args.force)
    else:
        steps = commands.up(start_of(args, secrets), options)
    return run_command(args, inventory, nodes, steps)
