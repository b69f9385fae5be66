"""From a command line to an exit status."""

from __future__ import annotations

import argparse
import importlib
import signal
import sys
from collections.abc import Sequence
from importlib.metadata import version

from tui.cli.exits import FAILED, INTERRUPTED, USAGE, UsageError

#: Each is a module of ``tui.cli.commands`` with ``add(subparsers)``; the order is that of ``--help``.
COMMANDS = (
    "demo", "init", "up", "preflight", "forecast", "deploy", "launch", "status", "logs", "stop", "replay",
    "nodes", "gpu", "lab", "doctor", "completion",
)  # fmt: skip


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of the whole command line; every command sets ``handler`` (Namespace -> status)."""
    parser = argparse.ArgumentParser(
        prog="dtui",
        description="Distributed PyTorch training on Windows and Linux GPU machines, from one terminal. "
        "Without a command the console opens.",
        epilog="exit status: 0 done, 1 a node or rank failed, 2 usage or configuration, 130 interrupted",
    )
    parser.add_argument("--version", action="version", version=f"dtui {version('dtui')}")
    console = importlib.import_module("tui.cli.commands.console")
    console.add_options(parser)
    commands = parser.add_subparsers(title="commands", metavar="COMMAND")
    for name in COMMANDS:
        importlib.import_module(f"tui.cli.commands.{name}").add(commands)
    return parser


def _end_gently() -> None:
    """Take a request to end, and a closed terminal, as Ctrl-C: a lab cleans up, links close."""
    for name in ("SIGTERM", "SIGHUP"):
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) == signal.SIG_DFL:
            signal.signal(number, lambda *_: signal.raise_signal(signal.SIGINT))


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit status."""
    from fleet.errors import FleetError
    from fleet.inventory import FaultsError

    args = build_parser().parse_args(arguments)
    _end_gently()
    try:
        return int(args.handler(args))
    except KeyboardInterrupt:
        print("interrupted; a run that was started goes on (dtui status, dtui stop)", file=sys.stderr)
        return INTERRUPTED
    except (UsageError, FaultsError) as error:
        print(f"dtui: {error}", file=sys.stderr)
        return USAGE
    except FleetError as error:
        print(f"dtui: {error}", file=sys.stderr)
        return FAILED
    except BrokenPipeError:
        # The reader of our output left (`dtui logs | head`): nothing is wrong, and nothing more to say.
        sys.stderr.close()
        return FAILED
