"""``dtui`` without a command: the console."""

from __future__ import annotations

import argparse
from pathlib import Path


def add_options(parser: argparse.ArgumentParser) -> None:
    """Declare the console's options on the top parser."""
    group = parser.add_argument_group("console")
    group.add_argument("--inventory", type=Path, metavar="FILE", help="inventory file")
    group.add_argument("--project", type=Path, metavar="DIR", help="project folder on this machine")
    add_screen_options(group)
    group.add_argument("--lang", choices=("en", "ko"), help="language of the screens and of what is told")
    parser.set_defaults(handler=run)


def add_screen_options(group: argparse._ActionsContainer) -> None:
    """Declare how the console looks and what it may do."""
    group.add_argument("--theme", help="colours of the screens")
    group.add_argument("--read-only", action="store_true", help="look only: nothing is changed on any node")


def run(args: argparse.Namespace) -> int:
    """Open the console on the project's inventory, or on an empty one."""
    import sys

    from tui.cli.exits import UsageError

    if not sys.stdout.isatty():
        raise UsageError("the console needs a terminal; `dtui --help` lists the commands that do not")
    from tui.console import DEFAULT_INVENTORY, run_console

    project = (args.project or Path()).resolve()
    return run_console(
        args.inventory or project / DEFAULT_INVENTORY,
        project=project,
        lang=args.lang,
        read_only=args.read_only,
        theme=args.theme,
    )
