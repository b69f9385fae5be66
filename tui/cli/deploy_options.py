"""Options of the commands that deploy."""

from __future__ import annotations

import argparse

from agent.wire.message import message


def add_deploy_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that only a deploy has."""
    group = parser.add_argument_group(message("help.group.deploy", "deploy"))
    group.add_argument(
        "--dry-run",
        action="store_true",
        help=message(
            "help.dry-run", "show what would be sent, deleted and started, without changing anything"
        ),
    )
    group.add_argument(
        "--extra",
        action="append",
        default=[],
        metavar="NAME",
        help=message("help.extra", "optional dependencies for `uv sync` (default: train)"),
    )
