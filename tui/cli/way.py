"""What ``up``, ``deploy`` and ``launch`` share: each is a part of the same way."""

from __future__ import annotations

import argparse

from fleet.deploy import DeployOptions
from fleet.runs import LaunchOptions, WatchOptions
from fleet.up import UpOptions, up
from tui.cli.options import inventory_of, selected, texts_of
from tui.cli.printers import make_printer
from tui.cli.session import run_operation


def go(
    args: argparse.Namespace, *, skip_deploy: bool = False, dry_run: bool = False, deploy_only: bool = False
) -> int:
    """Run the part of the way that the options ask for and return the exit status."""
    inventory = inventory_of(args)
    nodes = selected(inventory, args)
    options = UpOptions(
        deploying=DeployOptions(
            dry_run=dry_run, skip_deploy=skip_deploy, extras=tuple(getattr(args, "extra", None) or ())
        ),
        launching=LaunchOptions(
            max_restarts=getattr(args, "max_restarts", 0), force=getattr(args, "force", False)
        ),
        watching=WatchOptions(start_timeout=getattr(args, "start_timeout", None)),
        deploy_only=deploy_only,
        detach=getattr(args, "detach", False),
        cpu=args.cpu,
    )
    printer = make_printer(json=args.json, texts=texts_of(args))
    return run_operation(inventory, printer, lambda fleet: up(fleet, nodes, options))
