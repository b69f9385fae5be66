"""Options of commands and of the console that need no inventory: the console's start imports this file."""

from __future__ import annotations

import argparse
from pathlib import Path

from agent.wire.message import message
from tui.i18n import LANGUAGES, Texts

DEFAULT_INVENTORY = Path("configs/nodes.yaml")


def add_project_option(group: argparse._ActionsContainer) -> None:
    """Add ``--project``."""
    group.add_argument(
        "--project",
        type=Path,
        metavar="DIR",
        help=message("help.project", "project folder on this machine"),
    )


def add_output_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that choose how events are printed."""
    parser.add_argument(
        "--json", action="store_true", help=message("help.json", "print events as JSON lines on stdout")
    )
    add_language_option(parser)


def add_language_option(parser: argparse.ArgumentParser) -> None:
    """Add ``--lang``; it also applies before the command."""
    parser.add_argument(
        "--lang",
        choices=LANGUAGES,
        default=argparse.SUPPRESS,
        help=message("help.lang", "output language (JSON is always English)"),
    )


def texts_of(args: argparse.Namespace) -> Texts:
    """Return the texts in the language that the options ask for."""
    return Texts(getattr(args, "lang", None) or "en")


def project_of(args: argparse.Namespace) -> Path:
    """Return the project folder that ``--project`` names, else the current folder."""
    named: Path | None = args.project
    return (named or Path()).resolve()
