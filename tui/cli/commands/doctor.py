"""``dtui doctor``: whether this machine can be a master."""

from __future__ import annotations

import argparse
from pathlib import Path

from agent.wire.message import message, to_data
from fleet.terminal import one_line
from tui.cli.basic_options import add_language_option, add_project_option, project_of, texts_of
from tui.cli.columns import padded, widest
from tui.cli.exits import DONE, FAILED
from tui.cli.output import is_utf8, out, write_json
from tui.cli.subparsers import Subparsers


def add(subparsers: Subparsers) -> None:
    """Declare the command."""
    parser = subparsers.add_parser(
        "doctor",
        help=message("help.doctor", "check this machine: Python, packages, keys, ports, project"),
    )
    add_project_option(parser)
    parser.add_argument(
        "--json", action="store_true", help=message("help.doctor.json", "print findings as JSON lines")
    )
    add_language_option(parser)
    parser.set_defaults(handler=run)


def run(args: argparse.Namespace) -> int:
    """Print one line for each finding; 1 when something keeps dtui from working."""
    from tui.cli.doctor import TITLES, examine
    from tui.cli.narrate import GLYPHS

    texts = texts_of(args)
    plain = not is_utf8()
    status = DONE
    words = {name: texts.word("check", name) for name in ("ok", "warn", "fail")}
    titles = {name: texts.translate(title) for name, title in TITLES.items()}
    state_width, title_width = widest(words.values()), widest(titles.values())
    indent = " " * (state_width + title_width + (5 if plain else 6))
    for finding in examine(project_of(args), Path.home() / ".ssh"):
        if finding.status == "fail":
            status = FAILED
        if args.json:
            write_json(
                {
                    "name": finding.name,
                    "status": finding.status,
                    "seen": to_data(finding.seen),
                    "remedy": to_data(finding.remedy),
                }
            )
            continue
        sign = " " if plain else f"{GLYPHS[finding.status]} "
        state = padded(words[finding.status], state_width)
        title = padded(titles[finding.name], title_width)
        out(f"{sign}{state}  {title}  {one_line(texts.translate(finding.seen))}")
        if finding.remedy:
            out(f"{indent}-> {one_line(texts.translate(finding.remedy))}")
    return status
