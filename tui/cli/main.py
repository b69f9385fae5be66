"""From a command line to an exit status."""

from __future__ import annotations

import argparse
import difflib
import importlib
import signal
import sys
from collections.abc import Sequence

from tui.cli.exits import FAILED, INTERRUPTED, USAGE, UsageError
from tui.cli.streams import prepare_streams

#: Each is a module of ``tui.cli.commands`` with ``add(subparsers)``; the order is that of ``--help``.
COMMANDS = (
    "demo", "init", "up", "preflight", "forecast", "deploy", "launch", "status", "logs", "stop", "sample",
    "replay", "nodes", "gpu", "lab", "doctor", "completion",
)  # fmt: skip


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of the whole command line; every command sets ``handler`` (Namespace -> status)."""
    parser = argparse.ArgumentParser(
        prog="dtui",
        description="Distributed PyTorch training on Windows and Linux GPU machines, from one terminal. "
        "Without a command the console opens.",
        epilog="exit status: 0 done, 1 a node or rank failed, 2 usage or configuration, 130 interrupted",
    )
    from importlib.metadata import version

    parser.add_argument("--version", action="version", version=f"dtui {version('dtui')}")
    console = importlib.import_module("tui.cli.commands.console")
    console.add_options(parser)
    commands = parser.add_subparsers(title="commands", metavar="COMMAND")
    for name in COMMANDS:
        importlib.import_module(f"tui.cli.commands.{name}").add(commands)
    return parser


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    """Parse; a bare ``dtui`` is the console, and does not wait for the options of every command."""
    if arguments:
        return build_parser().parse_args(arguments)
    parser = argparse.ArgumentParser()
    importlib.import_module("tui.cli.commands.console").add_options(parser)
    return parser.parse_args([])


def _no_command(word: str) -> str:
    close = difflib.get_close_matches(word, COMMANDS, n=1)
    return f"there is no command {word!r}; " + (
        f"did you mean {close[0]!r}?" if close else f"there are {', '.join(COMMANDS)}"
    )


def _end_gently() -> None:
    """Take a request to end, and a closed terminal, as Ctrl-C: a lab cleans up, links close."""
    for name in ("SIGTERM", "SIGHUP"):
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) == signal.SIG_DFL:
            signal.signal(number, lambda *_: signal.raise_signal(signal.SIGINT))


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit status."""
    from fleet.errors import FleetError

    prepare_streams()
    words = sys.argv[1:] if arguments is None else arguments
    if words and not words[0].startswith("-") and words[0] not in COMMANDS:
        print(f"dtui: {_no_command(words[0])}", file=sys.stderr)
        return USAGE
    args = _parse(words)
    _end_gently()
    try:
        return int(args.handler(args))
    except KeyboardInterrupt:
        _tell(args, "interrupted; a run that was started goes on (dtui status, dtui stop)")
        return INTERRUPTED
    except UsageError as error:
        _tell(args, f"dtui: {error}")
        return USAGE
    except FleetError as error:
        from fleet.inventory import FaultsError

        _tell(args, f"dtui: {error}")
        return USAGE if isinstance(error, FaultsError) else FAILED
    except BrokenPipeError:
        # The reader of our output left (`dtui logs | head`): nothing is wrong, and nothing more to say.
        sys.stderr.close()
        return FAILED
    except OSError as error:
        if error.filename is None:
            raise
        what = f"{error.filename}: {error.strerror or error}"
        _tell(args, f"dtui: {what}. Look whether it may be written to, and has room")
        return FAILED


def _tell(args: argparse.Namespace, text: str) -> None:
    from tui.cli.options import texts_of

    print(texts_of(args).said(text), file=sys.stderr)
