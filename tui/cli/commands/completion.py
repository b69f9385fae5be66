"""``dtui completion``: the completion script of a shell, on stdout."""

from __future__ import annotations

import argparse

from agent.wire.message import message
from tui.cli.basic_options import texts_of
from tui.cli.completion import SHELLS, script
from tui.cli.exits import DONE
from tui.cli.main import build_parser
from tui.cli.output import out_own
from tui.cli.subparsers import Subparsers


def add(subparsers: Subparsers) -> None:
    """Declare the command."""
    parser = subparsers.add_parser(
        "completion",
        help=message("help.completion", "print a shell's completion script"),
        description=message(
            "help.completion.text",
            'for bash, add `eval "$(dtui completion bash)"` to ~/.bashrc; for other shells, see the first '
            "lines of the script",
        ),
    )
    parser.add_argument("shell", choices=SHELLS)
    parser.set_defaults(handler=run)


def run(args: argparse.Namespace) -> int:
    """Print the script, generated from the parser."""
    texts = texts_of(args)
    out_own(script(build_parser(texts), args.shell, texts))
    return DONE
