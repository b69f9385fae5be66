"""From a command line to an exit status."""

from __future__ import annotations

import argparse
import difflib
import importlib
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from agent.wire.message import Message, message
from agent.wire.reasons import system_reason
from fleet.errors import FleetError
from tui.cli.exits import FAILED, INTERNAL, INTERRUPTED, USAGE, UsageError
from tui.cli.interruption import end_as_interrupted
from tui.cli.output import err, indented, silence
from tui.cli.parser import Parser, argparse_texts, takes_value
from tui.cli.streams import prepare_streams
from tui.i18n import LANGUAGES, Texts
from tui.internal_errors import InternalErrors, install

#: Each is a module of ``tui.cli.commands`` with ``add(subparsers)``; the order is that of ``--help``.
COMMANDS = (
    "demo", "init", "up", "preflight", "forecast", "deploy", "launch", "status", "runs", "logs", "stacks",
    "diagnose", "stop", "sweep", "sample", "replay", "nodes", "gpu", "lab", "worker-script", "doctor",
    "completion",
)  # fmt: skip
#: Those that take a program: ``dtui up train.py --lr 3e-4``.
PROGRAM_COMMANDS = ("up", "deploy", "launch")


def build_parser(texts: Texts | None = None) -> argparse.ArgumentParser:
    """Return the parser of the whole command line; every command sets ``handler`` (Namespace -> status)."""
    from importlib.metadata import version

    texts = texts or Texts()
    with argparse_texts(texts):
        parser = Parser(
            texts=texts,
            prog="dtui",
            description=message(
                "help.dtui",
                "distributed PyTorch training on Windows and Linux GPU machines, from one terminal. "
                "Without a command, the console opens",
            ),
            epilog=message(
                "help.exit-status",
                "exit status: 0 done, 1 a node or rank failed, 2 wrong usage or configuration, "
                "70 internal error of dtui, 130 interrupted",
            ),
        )
        parser.add_argument(
            "--version",
            action="version",
            version=f"dtui {version('dtui')}",
            help=message("help.version", "show the version and exit"),
        )
        console = importlib.import_module("tui.cli.commands.console")
        console.add_options(parser)
        commands = parser.add_subparsers(  # type: ignore[call-overload]  # it only calls parser_class
            title=message("help.group.commands", "commands"),
            metavar=texts.translate(message("help.command", "COMMAND")),
            parser_class=partial(Parser, texts=texts),
        )
        for name in COMMANDS:
            importlib.import_module(f"tui.cli.commands.{name.replace('-', '_')}").add(commands)
    return parser


def _parse(words: Sequence[str], texts: Texts) -> tuple[argparse.Namespace, Texts]:
    """Parse; return the language's texts too, which a program's own ``--lang`` does not change.

    A bare ``dtui`` is the console, and does not wait for the options of every command.
    """
    if not words:
        bare = argparse.ArgumentParser()
        importlib.import_module("tui.cli.commands.console").add_options(bare)
        return bare.parse_args([]), texts
    parser = build_parser(texts)
    words, shared = own_words(parser, words)
    if (own_texts := _texts_for(words)).lang != texts.lang:
        texts, parser = own_texts, build_parser(own_texts)
    if shared:
        from tui.cli.program import shared_options_note

        err(texts.capitalized(shared_options_note(shared)))
    with argparse_texts(texts):
        return parser.parse_args(words), texts


def own_words(parser: argparse.ArgumentParser, words: Sequence[str]) -> tuple[Sequence[str], tuple[str, ...]]:
    """Return what the parser takes, and the program's options that dtui has as well."""
    words = command_first(words, parser)
    if not words or words[0] not in PROGRAM_COMMANDS:
        return words, ()
    from tui.cli.program import with_program

    return with_program(words, command_parser(parser, words[0]))


def command_first(words: Sequence[str], parser: argparse.ArgumentParser) -> Sequence[str]:
    """Return the words with the options that precede the command after it: argparse would ignore some."""
    at = 0
    while at < len(words) and words[at].startswith("-"):
        if words[at] in ("-h", "--help", "--version", "--"):
            return words
        at += 2 if takes_value(words[at], parser) else 1
    return [words[at], *words[:at], *words[at + 1 :]] if 0 < at < len(words) else words


def command_parser(parser: argparse.ArgumentParser, command: str) -> argparse.ArgumentParser:
    """Return the parser of one command."""
    (commands,) = (one for one in parser._actions if isinstance(one, argparse._SubParsersAction))
    found = commands.choices[command]
    assert isinstance(found, argparse.ArgumentParser)
    return found


def _texts_for(words: Sequence[str]) -> Texts:
    """Return the texts in the language that the command line asks for, before it is parsed."""
    language = requested_language(words)
    return Texts(language if language in LANGUAGES else "en")


def requested_language(words: Sequence[str]) -> str:
    """Return what ``--lang`` names, empty without it."""
    found = ""
    for word, following in zip(words, [*words[1:], ""], strict=False):
        if word == "--":
            break
        if word == "--lang":
            found = following
        elif word.startswith("--lang="):
            found = word.removeprefix("--lang=")
    return found


def _unknown_command(word: str) -> UsageError:
    what = message("cli.unknown-command", "there is no command {word!r}", word=word)
    close = difflib.get_close_matches(word, COMMANDS, n=1)
    if close:
        return UsageError(what, message("cli.did-you-mean", "did you mean {name!r}?", name=close[0]))
    return UsageError(what, message("cli.commands", "use one of {names}", names=COMMANDS))


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit status."""
    prepare_streams()
    words = sys.argv[1:] if arguments is None else arguments
    texts = _texts_for(words)
    errors = InternalErrors(Path())
    if arguments is None:
        install(errors, err, texts)  # this process is dtui's own
    try:
        if words and not words[0].startswith("-") and words[0] not in COMMANDS:
            raise _unknown_command(words[0])
        args, texts = _parse(words, texts)
        errors.project = _project_of(args)
        end_as_interrupted()
        return int(args.handler(args))
    except KeyboardInterrupt:
        text = message(
            "cli.interrupted", "interrupted; a started run continues (see `dtui status` and `dtui stop`)"
        )
        err(texts.sentence(text))
        return INTERRUPTED
    except UsageError as error:
        _print_error(error, texts)
        return USAGE
    except FleetError as error:
        from fleet.inventory import FaultsError

        _print_error(error, texts)
        return USAGE if isinstance(error, FaultsError) else FAILED
    except BrokenPipeError:
        # The reader of our output has closed it (`dtui logs | head`): this is no error.
        silence()
        return FAILED
    except Exception as error:  # noqa: BLE001  no traceback reaches the user
        if isinstance(error, OSError) and error.filename is not None:
            _print_error(_file_error(error), texts)
            return FAILED
        err(indented(f"dtui: {texts.translate(errors.report(error, _command(words)))}"))
        return INTERNAL


def _command(words: Sequence[str]) -> str:
    """Return the command without its arguments, which may be secrets."""
    return f"dtui {words[0]}" if words and words[0] in COMMANDS else "dtui"


def _project_of(args: argparse.Namespace) -> Path:
    project = getattr(args, "project", None) or getattr(args, "dir", None)
    return project if isinstance(project, Path) else Path()


def _file_error(error: OSError) -> FleetError:
    path = str(error.filename)
    return FleetError(
        Message(f"{path}: {system_reason(error)}"),
        remedy=message(
            "cli.file-error.remedy",
            "check that {path} can be written to and that its disk has free space",
            path=path,
        ),
    )


def _print_error(error: FleetError | UsageError, texts: Texts) -> None:
    from tui.cli.errors import error_text

    err(f"dtui: {error_text(error, texts)}")
