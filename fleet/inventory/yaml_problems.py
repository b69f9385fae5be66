"""YAML errors for the user: the problems that PyYAML reports most often, with their remedies."""

from __future__ import annotations

import yaml

from agent.wire.message import EMPTY, Message, message
from fleet.bounded_yaml import UnacceptableError, UnprintableError

_UNALIGNED_KEYS = message("yaml.unaligned-keys", "the keys of a block are not aligned")
_UNALIGNED_KEYS_REMEDY = message("yaml.unaligned-keys.remedy", "align the keys of the block")
_OPEN_BRACKET = message("yaml.open-bracket", "a bracket is not closed")
_OPEN_BRACKET_REMEDY = message("yaml.open-bracket.remedy", "close the bracket")

#: Words of PyYAML or of libyaml -> what is wrong, and the remedy. The first that occur count.
_KNOWN: tuple[tuple[str, Message, Message], ...] = (
    (
        "mapping values are not allowed",
        message("yaml.unexpected-colon", "unexpected ':'"),
        message(
            "yaml.unexpected-colon.remedy",
            "align the keys of the block, and put quotes around a value that contains ': '",
        ),
    ),
    (
        "unknown escape character",
        message("yaml.escape", "a text in double quotes contains an unknown backslash escape"),
        message(
            "yaml.windows-path.remedy", "write a Windows path without quotes or in single quotes: 'C:\\train'"
        ),
    ),
    (
        "unexpected end of stream",
        message("yaml.open-quote", "a quote is not closed"),
        message("yaml.open-quote.remedy", "close the quote"),
    ),
    ("<stream end>", _OPEN_BRACKET, _OPEN_BRACKET_REMEDY),
    (
        "maximum nesting depth",
        message("yaml.nesting", "blocks or brackets are nested too deep"),
        message("yaml.nesting.remedy", "close the brackets that were left open"),
    ),
    (
        "did not find expected '-' indicator",
        message("yaml.unaligned-list", "the entries of a list are not aligned"),
        message("yaml.unaligned-list.remedy", "align the entries, and start each one with `- `"),
    ),
    ("did not find expected key", _UNALIGNED_KEYS, _UNALIGNED_KEYS_REMEDY),
    ("did not find expected ',' or", _OPEN_BRACKET, _OPEN_BRACKET_REMEDY),
    (
        "could not find expected ':'",
        message("yaml.no-colon", "a key has no ':'"),
        message("yaml.no-colon.remedy", "write a colon and a space after the key, such as `port: 22`"),
    ),
    ("expected <block end>", _UNALIGNED_KEYS, _UNALIGNED_KEYS_REMEDY),
    (
        "cannot start any token",
        message("yaml.reserved-character", "a value starts with a character that YAML reserves"),
        message("yaml.reserved-character.remedy", "put quotes around the value"),
    ),
    ("expected ',' or", _OPEN_BRACKET, _OPEN_BRACKET_REMEDY),
)


def yaml_problem(error: yaml.YAMLError | ValueError) -> tuple[Message, Message]:
    """Return what is wrong and the remedy, for what :mod:`fleet.bounded_yaml` raises.

    A problem that is not in the table has PyYAML's text, and no remedy.
    """
    if isinstance(error, UnacceptableError | UnprintableError):
        return error.what, error.remedy
    problem = (isinstance(error, yaml.MarkedYAMLError) and error.problem) or str(error)
    for words, what, remedy in _KNOWN:
        if words in problem:
            return message("yaml.syntax", "YAML syntax: {problem}", problem=what), remedy
    return message("yaml.syntax", "YAML syntax: {problem}", problem=problem), EMPTY
