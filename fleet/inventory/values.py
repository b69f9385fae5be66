"""Parsers of single values: text from a YAML node to a checked value, or a fault.

Each takes the value's node and its place and returns the value, or None after it reported a fault. Texts are
taken as written, not as YAML 1.1 reads them: a node may be called ``no`` or ``007``.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable

import yaml

from agent.wire.message import EMPTY, Message, message
from agent.wire.text import fits_process, quote
from fleet.inventory import secrets
from fleet.inventory.sizes import parse_size, size_text
from fleet.inventory.source import Place, shown

#: What is wrong with a value, and the remedy.
Problem = tuple[Message, Message]
#: The value is None after a fault.
Parser = Callable[[yaml.Node, Place], object]

_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_ABSOLUTE = re.compile(r"(?:[A-Za-z]:[\\/]|\\\\|/|~(?=[\\/]|$))")
_WHOLE_NUMBER = re.compile(r"-?[0-9]{1,12}")
#: A dollar sign that stands for itself, a reference, or the beginning of another shell's expression.
_DOLLAR = re.compile(r"\$\$|\$\{[A-Za-z_][A-Za-z0-9_]*\}|(?P<bad>\$\{[^}]{0,40}\}?|\$\([^)]{0,40}\)?)")
#: Control characters of ASCII and of Latin-1, and halves of characters.
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
_PATH_ON_NODE = message(
    "inventory.relative-path.remedy",
    "write the path on the node: D:\\train\\project, /home/me/project or ~/project",
)
_REMOVE_CHARACTER = message("inventory.character.remedy", "remove the character")


def kind(node: yaml.Node) -> Message:
    """Return what was written: a block, a list, or the text itself in quotes."""
    if isinstance(node, yaml.MappingNode):
        return message("inventory.a-block", "a block of keys")
    if isinstance(node, yaml.SequenceNode):
        return message("inventory.a-list", "a list")
    return Message(quote(shown(node.value)))


def is_null(node: yaml.Node) -> bool:
    """Return whether nothing was written."""
    return bool(node.tag == "tag:yaml.org,2002:null")


def text(node: yaml.Node, place: Place) -> str | None:
    """One line of text, not empty."""
    if not isinstance(node, yaml.ScalarNode):
        place.fault(node, _not_text(node))
        return None
    value = str(node.value)
    if not value.strip():
        place.fault(
            node,
            message("inventory.empty-value", "is empty"),
            message("inventory.no-value.remedy", "give it a value or remove the key"),
        )
        return None
    if _CONTROL.search(value):
        place.fault(
            node,
            message(
                "inventory.control-character", "contains a control character: {value!r}", value=shown(value)
            ),
            message(
                "yaml.windows-path.remedy",
                "write a Windows path without quotes or in single quotes: 'C:\\train'",
            ),
        )
        return None
    return value


def _not_text(node: yaml.Node) -> Message:
    return message("inventory.not-text", "must be text, not {given}", given=kind(node))


def whole_number(low: int, high: int, what: Message) -> Callable[[yaml.Node, Place], int | None]:
    """A number within limits; ``what`` is the noun for the fault."""

    def parse(node: yaml.Node, place: Place) -> int | None:
        # Twelve digits are over every limit here, and int() of a million digits would take minutes.
        if not isinstance(node, yaml.ScalarNode) or not _WHOLE_NUMBER.fullmatch(node.value):
            place.fault(
                node,
                message("inventory.not-a-number", "must be {what}, not {given}", what=what, given=kind(node)),
            )
            return None
        if node.style:
            place.fault(
                node,
                message("inventory.quoted-number", "must be {what}, not text", what=what),
                message("inventory.quoted-number.remedy", "write {value} without quotes", value=node.value),
            )
            return None
        if not low <= int(node.value) <= high:
            place.fault(
                node,
                message(
                    "inventory.number-out-of-range",
                    "must be {what} from {low} to {high}, not {given}",
                    what=what,
                    low=low,
                    high=high,
                    given=node.value,
                ),
            )
            return None
        return int(node.value)

    return parse


def binary_size(low: int, high: int) -> Callable[[yaml.Node, Place], int | None]:
    """A size within limits in bytes, written with its unit."""

    def parse(node: yaml.Node, place: Place) -> int | None:
        size = parse_size(node.value) if isinstance(node, yaml.ScalarNode) else None
        if size is None:
            what = message("inventory.not-a-size", "must be a size such as 512MiB or 2GiB, not {given}",
                           given=kind(node))  # fmt: skip
            place.fault(node, what)
            return None
        if not low <= size <= high:
            what = message("inventory.size-out-of-range", "must be a size from {low} to {high}, not {size}",
                           low=size_text(low), high=size_text(high), size=size_text(size))  # fmt: skip
            place.fault(node, what)
            return None
        return size

    return parse


def progress_pattern(node: yaml.Node, place: Place) -> str | None:
    """A regular expression with named groups for the lines in which a program reports its progress."""
    # Imported here: only few inventories have a pattern, and every command reads one.
    from fleet.printed.pattern import PatternError, compile_pattern

    value = text(node, place)
    if value is None:
        return None
    try:
        compile_pattern(value)
    except PatternError as error:
        place.fault(node, error.what)
        return None
    return value


def truth(node: yaml.Node, place: Place) -> bool | None:
    """``true`` or ``false``, and no other spelling that YAML 1.1 would take."""
    if isinstance(node, yaml.ScalarNode) and not node.style and node.value in ("true", "false"):
        return bool(node.value == "true")
    place.fault(
        node,
        message("inventory.not-a-boolean", "must be true or false, not {given}", given=kind(node)),
        message("inventory.not-a-boolean.remedy", "write it in lower case and without quotes"),
    )
    return None


def choice(*options: str) -> Parser:
    """One of a few words."""

    def parse(node: yaml.Node, place: Place) -> str | None:
        if isinstance(node, yaml.ScalarNode) and node.value in options:
            return str(node.value)
        word = str(node.value).lower() if isinstance(node, yaml.ScalarNode) else ""
        close = difflib.get_close_matches(word, options, n=1)
        remedy = (
            message("inventory.did-you-mean", "did you mean {name!r}?", name=close[0]) if close else EMPTY
        )
        place.fault(
            node,
            message(
                "inventory.not-an-option",
                "must be one of {options}, not {given}",
                options=options,
                given=kind(node),
            ),
            remedy,
        )
        return None

    return parse


_gpu_count = whole_number(0, 64, message("inventory.gpus", "a number of GPUs, a list such as [0, 1], or all"))
_gpu_index = whole_number(0, 63, message("inventory.gpu-index", "the number of a GPU as nvidia-smi shows it"))


def gpus(node: yaml.Node, place: Place) -> int | tuple[int, ...] | str | None:
    """A count, a list of different indices, or the word ``all``."""
    if isinstance(node, yaml.SequenceNode):
        return _gpu_indices(node, place)
    if isinstance(node, yaml.ScalarNode) and node.value == "all":
        return "all"
    return _gpu_count(node, place)


def _gpu_indices(node: yaml.SequenceNode, place: Place) -> tuple[int, ...] | None:
    if not node.value:
        place.fault(
            node,
            message("inventory.no-gpus", "the list of GPUs is empty"),
            message("inventory.no-gpus.remedy", "write `gpus: 0` for a node that trains on its CPU"),
        )
        return None
    read = [_gpu_index(item, place.under(index)) for index, item in enumerate(node.value)]
    indices = [index for index in read if index is not None]
    if len(indices) < len(read):
        return None
    if len(set(indices)) < len(indices):
        place.fault(node, message("inventory.gpu-twice", "lists a GPU twice"))
        return None
    return tuple(indices)


def local_path(node: yaml.Node, place: Place) -> str | None:
    """A path on the master; absolute, below ``~``, or relative to the inventory's folder."""
    return text(node, place)


def node_path(node: yaml.Node, place: Place) -> str | None:
    """A path on a node: absolute, or below ``~``."""
    value = text(node, place)
    if value is not None and not _ABSOLUTE.match(value):
        place.fault(node, *_not_absolute(value))
        return None
    return value


def _not_absolute(value: str) -> Problem:
    what = message("inventory.relative-path", "{path!r} is not an absolute path", path=shown(value))
    return what, _PATH_ON_NODE


def worker_project(node: yaml.Node, place: Place) -> str | None:
    """The folder of the project on a node, which is not yet known to be Windows or Linux."""
    value = text(node, place)
    if value is None:
        return None
    problem = project_problem(value)
    if problem is not None:
        place.fault(node, *problem)
        return None
    return value


def project_problem(value: str) -> Problem | None:
    """Return why a path can be no project's folder on any node, or None."""
    if not _ABSOLUTE.match(value) or _CONTROL.search(value):
        return _not_absolute(value)
    if value.startswith(("\\\\", "//")):
        return (
            message(
                "inventory.project-share",
                "{path!r} is on a network share, where Windows starts no programs for a remote login",
                path=shown(value),
            ),
            _PATH_ON_NODE,
        )
    drive, rest = value[:2], re.sub(r"[\\/]+", "/", value[2:]).strip("/")
    if not value.strip("/") or (drive[1:] == ":" and not rest):
        what = message("inventory.project-root", "{path!r} is the root of a disk", path=shown(value))
        return what, _PATH_ON_NODE
    if drive[1:] != ":":
        return None
    # Imported here: the first frame does not wait for it.
    from agent import paths

    try:
        paths.split(rest, windows=True)
        paths.reject_long(value.rstrip("\\/"))
    except paths.PathRejected as error:
        return error.message, _PATH_ON_NODE
    return None


def node_paths(node: yaml.Node, place: Place) -> dict[str, str] | None:
    """Paths on nodes by the node set that has them there."""
    if not isinstance(node, yaml.MappingNode):
        place.fault(
            node,
            message(
                "inventory.not-node-paths",
                "must be nodes with their folders such as {{gpu1: /mnt/data}}, not {given}",
                given=kind(node),
            ),
        )
        return None
    found: dict[str, str] = {}
    for key_node, value in node.value:
        key = text(key_node, place)
        if key is None:
            continue
        here = place.under(key)
        if key in found:
            here.fault(key_node, message("inventory.variable-twice", "is given twice"))
        elif (path := node_path(value, here)) is not None:
            found[key] = path
    return found


def project_file(node: yaml.Node, place: Place) -> str | None:
    """A file below the project folder; given back with ``/``."""
    value = text(node, place)
    if value is None:
        return None
    value = value.replace("\\", "/")
    if _ABSOLUTE.match(value) or ".." in value.split("/"):
        place.fault(
            node,
            message(
                "inventory.outside-project", "{path!r} is not below the project folder", path=shown(value)
            ),
            message(
                "inventory.outside-project.remedy",
                "copy the file into the project and write its path relative to the project folder",
            ),
        )
        return None
    return value


def project_folder(node: yaml.Node, place: Place) -> str | None:
    """A folder below the project folder with ``/``; ``.``, the project folder itself, is empty."""
    value = project_file(node, place)
    return None if value is None else "/".join(part for part in value.split("/") if part not in ("", "."))


def module(node: yaml.Node, place: Place) -> str | None:
    """A Python module's dotted name."""
    value = text(node, place)
    if value is not None and (
        value.endswith(".py") or not all(part.isidentifier() for part in value.split("."))
    ):
        what = message("inventory.not-a-module", "{name!r} is not the name of a module", name=shown(value))
        if value.endswith(".py"):
            remedy = message("inventory.script.remedy", "use `script: {path}`", path=shown(value))
        else:
            remedy = message("inventory.not-a-module.remedy", "write the name as for `python -m`")
        place.fault(node, what, remedy)
        return None
    return value


def texts(node: yaml.Node, place: Place) -> tuple[str, ...] | None:
    """A list of texts, each as written."""
    if not isinstance(node, yaml.SequenceNode):
        place.fault(
            node,
            message("inventory.not-texts", "must be a list such as [a, b], not {given}", given=kind(node)),
        )
        return None
    values = []
    for index, item in enumerate(node.value):
        if not isinstance(item, yaml.ScalarNode):
            place.under(index).fault(item, _not_text(item))
            return None
        if not fits_process(item.value):
            place.under(index).fault(
                item,
                message(
                    "inventory.argument-character", "contains a character that is not allowed in an argument"
                ),
                _REMOVE_CHARACTER,
            )
            return None
        values.append(str(item.value))
    return tuple(values)


def arguments(node: yaml.Node, place: Place) -> tuple[str, ...] | None:
    """A program's arguments; a secret among them is refused without showing it."""
    words = texts(node, place)
    if words and isinstance(node, yaml.SequenceNode) and secrets.refuse_in_arguments(words, node, place):
        return None
    return words


def reference_problem(value: str) -> Problem | None:
    """Return what is wrong with the references in a variable's value (agent.environments.expansion)."""
    for found in _DOLLAR.finditer(value):
        if found["bad"]:
            return (
                message(
                    "inventory.reference", "{text!r} is not a reference to a variable", text=found["bad"]
                ),
                message(
                    "inventory.reference.remedy",
                    "write $NAME or ${{NAME}} for the node's variable NAME, and $$ for a dollar sign",
                ),
            )
    return None


def environment(node: yaml.Node, place: Place) -> dict[str, str] | None:
    """Variables with their texts as written; a secret is refused without showing it."""
    if not isinstance(node, yaml.MappingNode):
        place.fault(
            node,
            message(
                "inventory.not-variables",
                "must be variables such as {{NCCL_DEBUG: INFO}}, not {given}",
                given=kind(node),
            ),
        )
        return None
    values: dict[str, str] = {}
    for key_node, value in node.value:
        key = str(key_node.value) if isinstance(key_node, yaml.ScalarNode) else ""
        here = place.under(key)
        if secrets.holds_secret(key, value):
            secrets.refuse(key_node, here, key, variable=True)
        elif isinstance(value, yaml.ScalarNode) and secrets.holds_url_password(value):
            secrets.refuse(value, here, key, variable=True)
        elif not _VARIABLE.fullmatch(key):
            here.fault(
                key_node,
                message(
                    "inventory.not-a-variable",
                    "{name!r} is not the name of an environment variable",
                    name=shown(key),
                ),
            )
        elif key in values:
            here.fault(key_node, message("inventory.variable-twice", "is given twice"))
        elif not isinstance(value, yaml.ScalarNode):
            here.fault(value, _not_text(value))
        elif not fits_process(value.value):
            here.fault(
                value,
                message(
                    "inventory.variable-character",
                    "contains a character that is not allowed in an environment variable",
                ),
                _REMOVE_CHARACTER,
            )
        elif problem := reference_problem(value.value):
            here.fault(value, *problem)
        else:
            values[key] = str(value.value)
    return values
