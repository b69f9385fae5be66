"""``dtui up``: preflight, deploy and launch in one; the guide's master step."""

from __future__ import annotations

import argparse

from tui.cli.subparsers import Subparsers


def add(subparsers: Subparsers) -> None:
    """Declare the command."""
    from tui.cli.options import (
        add_deploy_options,
        add_inventory_options,
        add_launch_options,
        add_output_options,
        add_run_options,
    )

    parser = subparsers.add_parser("up", help="preflight, deploy and launch: the whole way to a run")
    add_inventory_options(parser)
    add_run_options(parser)
    add_deploy_options(parser)
    add_launch_options(parser)
    parser.add_argument(
        "--skip-deploy", action="store_true", help="use files and environments as the last deploy left them"
    )
    add_output_options(parser)
    parser.set_defaults(handler=run)


def run(args: argparse.Namespace) -> int:
    """Go all the way, or as far as a failing node lets us."""
    from tui.cli.way import go

    return go(args, skip_deploy=args.skip_deploy, dry_run=args.dry_run)
