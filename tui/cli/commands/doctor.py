"""``dtui doctor``: is this machine fit to be a master?"""

from __future__ import annotations

import argparse
from pathlib import Path

from tui.cli.subparsers import Subparsers

_SIGNS = {"ok": "✓", "warn": "!", "fail": "✗"}


def add(subparsers: Subparsers) -> None:
    """Declare the command."""
    from tui.cli.options import add_language_option

    parser = subparsers.add_parser("doctor", help="look at this machine alone: Python, keys, ports, project")
    parser.add_argument("--project", type=Path, metavar="DIR", help="project folder on this machine")
    parser.add_argument("--json", action="store_true", help="print findings as JSON lines")
    add_language_option(parser)
    parser.set_defaults(handler=run)


def run(args: argparse.Namespace) -> int:
    """Print one line for each finding; 1 when something keeps dtui from working."""
    import dataclasses
    import json
    import sys

    from tui.cli.doctor import examine
    from tui.cli.exits import DONE, FAILED
    from tui.cli.options import texts_of

    texts = texts_of(args)
    plain = (sys.stdout.encoding or "").lower().replace("-", "") != "utf8"
    status = DONE
    for finding in examine((args.project or Path()).resolve(), Path.home() / ".ssh"):
        if finding.status == "fail":
            status = FAILED
        if args.json:
            print(json.dumps(dataclasses.asdict(finding), ensure_ascii=False), flush=True)
            continue
        sign = " " if plain else f"{_SIGNS[finding.status]} "
        print(f"{sign}{finding.status:4}  {finding.name:10}  {texts.said(finding.seen)}", flush=True)
        if finding.remedy:
            print(f"{'':18}  -> {texts.said(finding.remedy)}", flush=True)
    return status
