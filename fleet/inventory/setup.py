"""The commands of ``run.setup``: lists of words, or texts that are cut into words as a POSIX shell does."""

from __future__ import annotations

import re
import shlex

import yaml

from agent.wire.message import message
from fleet.inventory import secrets, values
from fleet.inventory.model import SetupCommand
from fleet.inventory.source import Place, shown

_MOST_COMMANDS = 64
#: What only a shell understands. No shell takes part, so a command with them would do something else.
_OPERATOR = re.compile(r"&&|\|\||[|&;<>]|`|\$\(")


def commands(node: yaml.Node, place: Place) -> tuple[SetupCommand, ...] | None:
    """Parse ``setup``: a list of texts, lists of words, and blocks with ``run`` and ``inputs``."""
    if not isinstance(node, yaml.SequenceNode):
        place.fault(
            node,
            message("inventory.setup-not-a-list", "must be a list of commands, not {given}",
                    given=values.kind(node)),
            message("inventory.setup-not-a-list.remedy", "write one command per line: `- python build.py`"),
        )  # fmt: skip
        return None
    if len(node.value) > _MOST_COMMANDS:
        place.fault(
            node, message("inventory.setup-too-long", "has more than {most} commands", most=_MOST_COMMANDS)
        )
        return None
    found = [_command(item, place.under(index)) for index, item in enumerate(node.value)]
    return tuple(command for command in found if command is not None)


def _command(node: yaml.Node, place: Place) -> SetupCommand | None:
    if not isinstance(node, yaml.MappingNode):
        run = _words(node, place)
        return None if run is None else SetupCommand(run=run)
    parts = {str(key.value): value for key, value in node.value if isinstance(key, yaml.ScalarNode)}
    if "run" not in parts or set(parts) - {"run", "inputs"} or len(parts) < len(node.value):
        place.fault(
            node,
            message("inventory.setup-block", "a command's block must have `run`, and may have `inputs`"),
            message("inventory.setup-block.remedy", "write `- {{run: python build.py, inputs: [csrc]}}`"),
        )
        return None
    run = _words(parts["run"], place.under("run"))
    inputs = None
    if "inputs" in parts:
        inputs = _inputs(parts["inputs"], place.under("inputs"))
        if inputs is None:
            return None
    return None if run is None else SetupCommand(run=run, inputs=inputs)


def _words(node: yaml.Node, place: Place) -> tuple[str, ...] | None:
    is_list = isinstance(node, yaml.SequenceNode)
    words = values.arguments(node, place) if is_list else _split(node, place)
    if words is not None and (not words or not words[0].strip()):
        place.fault(node, message("inventory.setup-empty", "has no program to run"))
        return None
    return words


def _split(node: yaml.Node, place: Place) -> tuple[str, ...] | None:
    text = values.text(node, place)
    if text is None:
        return None
    try:
        words = tuple(shlex.split(text))
        bare = shlex.shlex(text, posix=True, punctuation_chars=True)
        bare.whitespace_split = True
        operators = [word for word in bare if _OPERATOR.fullmatch(word)]
    except ValueError as error:
        place.fault(
            node,
            message("inventory.setup-quotes", "{text!r} cannot be cut into words: {error}", text=shown(text),
                    error=str(error)),
            message("inventory.setup-quotes.remedy", "write the command as a list: [python, build.py]"),
        )  # fmt: skip
        return None
    if operators:
        place.fault(
            node,
            message(
                "inventory.setup-shell",
                "{operator!r} needs a shell, and none takes part in a command of `setup`",
                operator=shown(operators[0]),
            ),
            message(
                "inventory.setup-shell.remedy",
                'write several commands, or name the shell: [sh, -c, "..."]',
            ),
        )
        return None
    if secrets.refuse_in_words(words, node, place):
        return None
    return words


def _inputs(node: yaml.Node, place: Place) -> tuple[str, ...] | None:
    if not isinstance(node, yaml.SequenceNode):
        place.fault(
            node,
            message(
                "inventory.not-texts", "must be a list such as [a, b], not {given}", given=values.kind(node)
            ),
        )
        return None
    found = [values.project_folder(item, place.under(index)) for index, item in enumerate(node.value)]
    return None if None in found else tuple(path for path in found if path is not None)
