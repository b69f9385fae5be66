"""``dtui launch``: start a run on nodes that were deployed to."""

from __future__ import annotations

import argparse

from tui.cli.subparsers import Subparsers


def add(subparsers: Subparsers) -> None:
    """Declare the command."""
    from tui.cli.options import (
        add_inventory_options,
        add_launch_options,
        add_output_options,
        add_run_options,
    )

    parser = subparsers.add_parser("launch", help="start a run on deployed nodes and follow it")
    add_inventory_options(parser)
    add_run_options(parser)
    add_launch_options(parser)
    add_output_options(parser)
    parser.set_defaults(handler=run)


def run(args: argparse.Namespace) -> int:
    """Write the configurations, start all ranks, follow them."""
    from tui.cli.way import go

    return go(args, skip_deploy=True)
