"""The command line's parser: its help and its errors are in the user's language.

``help``, ``description``, ``epilog`` and the titles of groups are messages; a plain text is shown as it is.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

from rich.cells import cell_len

from agent.wire.message import Message, message
from tui.i18n import Texts

#: argparse's own texts, by their keys for gettext.
_ARGPARSE = {
    str(text): text
    for text in (
        message("argparse.usage", "usage: "),
        message("argparse.positional", "positional arguments"),
        message("argparse.options", "options"),
        message("argparse.help", "show this help message and exit"),
        message("argparse.error", "%(prog)s: error: %(message)s\n"),
        message("argparse.argument", "argument %(argument_name)s: %(message)s"),
        message("argparse.unrecognized", "unrecognized arguments: %s"),
        message("argparse.not-allowed", "not allowed with argument %s"),
        message("argparse.explicit", "ignored explicit argument %r"),
        message("argparse.required", "the following arguments are required: %s"),
        message("argparse.one-required", "one of the arguments %s is required"),
        message("argparse.one", "expected one argument"),
        message("argparse.at-most-one", "expected at most one argument"),
        message("argparse.at-least-one", "expected at least one argument"),
        message("argparse.count-one", "expected %s argument"),
        message("argparse.count", "expected %s arguments"),
        message("argparse.ambiguous", "ambiguous option: %(option)s could match %(matches)s"),
        message("argparse.type", "invalid %(type)s value: %(value)r"),
        message("argparse.choice", "invalid choice: %(value)r (choose from %(choices)s)"),
        message("argparse.command", "unknown parser %(parser_name)r (choices: %(choices)s)"),
    )
}


class Parser(argparse.ArgumentParser):
    """An ArgumentParser that prints messages in the language of ``texts``."""

    def __init__(self, *, texts: Texts, **options: object) -> None:
        super().__init__(**options)  # type: ignore[arg-type]  # argparse passes on what add_parser was given
        self.formatter_class = partial(_Formatter, texts)


class _Formatter(argparse.HelpFormatter):
    def __init__(self, texts: Texts, prog: str) -> None:
        super().__init__(prog)
        self._texts = texts

    def start_section(self, heading: str | None) -> None:
        super().start_section(self._texts.translate(heading) if isinstance(heading, Message) else heading)

    def add_text(self, text: str | None) -> None:
        super().add_text(self._texts.sentence(text) if isinstance(text, Message) else text)

    def _get_help_string(self, action: argparse.Action) -> str | None:
        return self._texts.translate(action.help) if isinstance(action.help, Message) else action.help

    def _split_lines(self, text: str, width: int) -> list[str]:
        return wrapped(text, width)

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        return "\n".join(indent + line for line in wrapped(text, width - len(indent)))


def wrapped(text: str, width: int) -> list[str]:
    """Return the text in lines of at most ``width`` cells, broken at blanks."""
    lines: list[str] = []
    for word in text.split():
        if lines and cell_len(lines[-1]) + 1 + cell_len(word) <= width:
            lines[-1] += f" {word}"
        else:
            lines.append(word)
    return lines


@contextmanager
def argparse_texts(texts: Texts) -> Iterator[None]:
    """Translate argparse's own texts, which it otherwise looks up with gettext."""
    names = vars(argparse)
    before: dict[str, object] = {name: names[name] for name in ("_", "ngettext") if name in names}

    def one_of(one: str, many: str, count: int) -> str:
        return _translated(one if count == 1 else many, texts)

    lookups: dict[str, Callable[..., str]] = {
        "_": lambda text: _translated(text, texts),
        "ngettext": one_of,
    }
    names.update({name: lookups[name] for name in before})
    try:
        yield
    finally:
        names.update(before)


def _translated(text: str, texts: Texts) -> str:
    # argparse also looks up what it was given, a description for example, and None.
    known = _ARGPARSE.get(text) if text else None
    return texts.translate(known) if known is not None else text


def takes_value(word: str, parser: argparse.ArgumentParser) -> bool:
    """Return whether the word after this option is its value."""
    name, equals, _ = word.partition("=")
    if equals:
        return False
    actions = parser._option_string_actions
    # argparse accepts the beginning of a long option.
    found = [actions[name]] if name in actions else [actions[one] for one in actions if one.startswith(name)]
    return bool(found) and found[0].nargs is None and not isinstance(found[0], argparse._StoreConstAction)
