"""``dtui completion``: the completion script of a shell, on stdout."""

from __future__ import annotations

import argparse

from tui.cli.subparsers import Subparsers


def add(subparsers: Subparsers) -> None:
    """Declare the command."""
    from tui.cli.completion import SHELLS

    parser = subparsers.add_parser(
        "completion",
        help="print a shell's completion script",
        description='bash: eval "$(dtui completion bash)" in ~/.bashrc; the others: see the first lines.',
    )
    parser.add_argument("shell", choices=SHELLS)
    parser.set_defaults(handler=run)


def run(args: argparse.Namespace) -> int:
    """Print the script, made from the commands as they are."""
    from tui.cli.completion import script
    from tui.cli.exits import DONE
    from tui.cli.main import build_parser

    print(script(build_parser(), args.shell), end="")
    return DONE
