"""``dtui`` without a command: the console."""

from __future__ import annotations

import argparse
from pathlib import Path

from agent.wire.message import message
from tui.cli.basic_options import DEFAULT_INVENTORY, add_project_option, project_of
from tui.cli.exits import UsageError
from tui.cli.output import is_terminal
from tui.i18n import LANGUAGES


def add_options(parser: argparse.ArgumentParser) -> None:
    """Declare the console's options on the top parser."""

    group = parser.add_argument_group(message("help.group.console", "console"))
    group.add_argument(
        "--inventory", type=Path, metavar="FILE", help=message("help.console.inventory", "inventory file")
    )
    add_project_option(group)
    add_screen_options(group)
    group.add_argument(
        "--lang",
        choices=LANGUAGES,
        help=message("help.console.lang", "language of the screens and of output"),
    )
    parser.set_defaults(handler=run)


def add_screen_options(group: argparse._ActionsContainer) -> None:
    """Declare the options of the console."""
    group.add_argument("--theme", help=message("help.theme", "colours of the screens"))
    group.add_argument(
        "--read-only",
        action="store_true",
        help=message("help.read-only", "disable every action that changes a node"),
    )


def run(args: argparse.Namespace) -> int:
    """Open the console on the project's inventory, or on an empty one."""
    if not is_terminal("stdout"):
        raise UsageError(
            message("cli.console-terminal", "the console needs a terminal"),
            message("cli.console-terminal.remedy", "use a command; `dtui --help` lists them"),
        )
    from tui.cli.console_launch import run_console

    project = project_of(args)
    return run_console(
        args.inventory or project / DEFAULT_INVENTORY,
        project=project,
        lang=args.lang,
        read_only=args.read_only,
        theme=args.theme,
    )
