"""Parsers of single values: text from a YAML node to a checked value, or a fault.

Each takes the value's node and its place and returns the value, or None after it reported a fault. Texts are
taken as written, not as YAML 1.1 reads them: a node may be called ``no`` or ``007``.
"""

from __future__ import annotations

import difflib
import ipaddress
import re
from collections.abc import Callable
from typing import Any

import yaml

from fleet.inventory.source import Place
from fleet.nodeset import NodeSetError, expand

Parser = Callable[[yaml.Node, Place], Any]

_NAME = re.compile(r"\w[\w.-]*")
_HOST_LABEL = re.compile(r"(?!-)[\w-]{1,63}(?<!-)")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_ABSOLUTE = re.compile(r"(?:[A-Za-z]:[\\/]|\\\\|/|~(?=[\\/]|$))")
_SECRET = re.compile(
    r"(?:^|[_-])(?:pass(?:word|wd|phrase)|pw|pwd|secret|token|credentials?|(?:api|secret|access)[_-]?key)s?$"
)


def is_secret_name(name: str) -> bool:
    """Tell whether a key or variable of this name holds a secret, judging by its last word."""
    snake = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()
    return _SECRET.search(snake) is not None


def kind(node: yaml.Node) -> str:
    """Say what a node is, in a person's words."""
    if isinstance(node, yaml.MappingNode):
        return "a block of keys"
    if isinstance(node, yaml.SequenceNode):
        return "a list"
    return f"{node.value!r}"


def is_null(node: yaml.Node) -> bool:
    """Tell whether nothing was written."""
    return bool(node.tag == "tag:yaml.org,2002:null")


def text(node: yaml.Node, place: Place) -> str | None:
    """One line of text, not empty."""
    if not isinstance(node, yaml.ScalarNode):
        place.fault(node, f"must be text, not {kind(node)}")
        return None
    value = str(node.value)
    if not value.strip():
        place.fault(node, "is empty", "give it a value or remove the key")
        return None
    if any(ord(character) < 32 or ord(character) == 127 for character in value):
        place.fault(
            node,
            f"contains a control character: {value!r}",
            "write a Windows path without quotes or in single quotes: 'C:\\train'",
        )
        return None
    return value


def whole_number(low: int, high: int, what: str) -> Parser:
    """A number within limits; ``what`` is the noun for the fault."""

    def parse(node: yaml.Node, place: Place) -> int | None:
        # Twelve digits are over every limit here, and int() of a million digits would take minutes.
        if not isinstance(node, yaml.ScalarNode) or not re.fullmatch(r"-?[0-9]{1,12}", node.value):
            place.fault(node, f"must be {what}, not {kind(node)}")
            return None
        if node.style:
            place.fault(node, f"must be {what}, not a text", f"write {node.value} without quotes")
            return None
        if not low <= int(node.value) <= high:
            place.fault(node, f"must be {what} from {low} to {high}, not {node.value}")
            return None
        return int(node.value)

    return parse


def truth(node: yaml.Node, place: Place) -> bool | None:
    """``true`` or ``false``, and no other spelling that YAML 1.1 would take."""
    if isinstance(node, yaml.ScalarNode) and not node.style and node.value in ("true", "false"):
        return bool(node.value == "true")
    place.fault(node, f"must be true or false, not {kind(node)}", "write it small and without quotes")
    return None


def choice(*options: str) -> Parser:
    """One of a few words."""

    def parse(node: yaml.Node, place: Place) -> str | None:
        if isinstance(node, yaml.ScalarNode) and node.value in options:
            return str(node.value)
        word = str(node.value).lower() if isinstance(node, yaml.ScalarNode) else ""
        close = difflib.get_close_matches(word, options, n=1)
        remedy = f"did you mean {close[0]!r}?" if close else ""
        place.fault(node, f"must be one of {', '.join(options)}, not {kind(node)}", remedy)
        return None

    return parse


_gpu_count = whole_number(0, 64, "a number of GPUs, a list such as [0, 1], or all")
_gpu_index = whole_number(0, 63, "the number of a GPU as nvidia-smi shows it")


def gpus(node: yaml.Node, place: Place) -> int | tuple[int, ...] | str | None:
    """A count, a list of different indices, or the word ``all``."""
    if isinstance(node, yaml.SequenceNode):
        return _gpu_indices(node, place)
    if isinstance(node, yaml.ScalarNode) and node.value == "all":
        return "all"
    count: int | None = _gpu_count(node, place)
    return count


def _gpu_indices(node: yaml.SequenceNode, place: Place) -> tuple[int, ...] | None:
    if not node.value:
        place.fault(node, "lists no GPU", "write `gpus: 0` for a node that trains on its CPU")
        return None
    indices = [_gpu_index(item, place.under(index)) for index, item in enumerate(node.value)]
    if None in indices:
        return None
    if len(set(indices)) < len(indices):
        place.fault(node, "names a GPU twice")
        return None
    return tuple(indices)


def local_path(node: yaml.Node, place: Place) -> str | None:
    """A path on the master; absolute, below ``~``, or seen from the inventory's folder."""
    return text(node, place)


def node_path(node: yaml.Node, place: Place) -> str | None:
    """A path on a node: absolute, or below ``~``."""
    value = text(node, place)
    if value is not None and not _ABSOLUTE.match(value):
        place.fault(
            node,
            f"{value!r} is not an absolute path",
            "write it as on the node: D:\\train\\project, /home/me/project or ~/project",
        )
        return None
    return value


def project_file(node: yaml.Node, place: Place) -> str | None:
    """A file below the project folder; given back with ``/``."""
    value = text(node, place)
    if value is None:
        return None
    value = value.replace("\\", "/")
    if _ABSOLUTE.match(value) or ".." in value.split("/"):
        place.fault(
            node,
            f"{value!r} is not below the project folder",
            "only files of the project reach the nodes: copy it there and name it from the project's root",
        )
        return None
    return value


def module(node: yaml.Node, place: Place) -> str | None:
    """A Python module's dotted name."""
    value = text(node, place)
    if value is not None and (
        value.endswith(".py") or not all(part.isidentifier() for part in value.split("."))
    ):
        remedy = f"use `script: {value}`" if value.endswith(".py") else "write it as for python -m"
        place.fault(node, f"{value!r} is not the name of a module", remedy)
        return None
    return value


def name(value: str) -> str | None:
    """Return what is wrong with a node's or group's name, None when it is good."""
    if _NAME.fullmatch(value) is None or len(value) > 100 or value == "all":
        return f"{value!r} can't be a name: use letters, digits, '.', '_' and '-' (but not all)"
    return None


def address(value: str) -> tuple[str, str] | None:
    """Return (what is wrong with an address, remedy), None when it is an IP literal or a host name."""
    try:
        ip = ipaddress.ip_address(value)
    except ValueError:
        pass
    else:
        if ip.is_multicast or ip.is_unspecified or value == "255.255.255.255":
            return f"{value} is not the address of one machine", ""
        return None
    if "://" in value or "/" in value:
        return f"{value!r} is not an address", "write the host only, such as 192.168.1.101"
    if "@" in value:
        return f"{value!r} is not an address", "put the user into `user`"
    if re.fullmatch(r"[^:]+:[0-9]+", value):
        return f"{value!r} is not an address", "put the port into `port`"
    if re.fullmatch(r"[0-9.]+", value):
        return f"{value!r} is not an IPv4 address", "it has four numbers from 0 to 255"
    if len(value) > 253 or not all(_HOST_LABEL.fullmatch(label) for label in value.rstrip(".").split(".")):
        return f"{value!r} is neither an IP address nor a host name", ""
    return None


def names(node: yaml.Node, place: Place) -> tuple[str, ...] | None:
    """A node set of names."""
    return _node_set(node, place, lambda value: (problem, "") if (problem := name(value)) else None)


def addresses(node: yaml.Node, place: Place) -> tuple[str, ...] | None:
    """A node set of addresses."""
    return _node_set(node, place, address)


def ip_literal(node: yaml.Node, place: Place) -> str | None:
    """An IP address, not a name: rank 0 binds to it, and a name may resolve to loopback."""
    value = text(node, place)
    if value is None:
        return None
    problem = address(value)
    if problem is None and not _is_ip(value):
        problem = f"{value!r} is a name", "write the IP address by which the workers reach the master"
    if problem is not None:
        place.fault(node, *problem)
        return None
    return value


def _is_ip(value: str) -> bool:
    try:
        ipaddress.ip_address(value)
    except ValueError:
        return False
    return True


def _node_set(
    node: yaml.Node, place: Place, check: Callable[[str], tuple[str, str] | None]
) -> tuple[str, ...] | None:
    value = text(node, place)
    if value is None:
        return None
    try:
        values = expand(value)
    except NodeSetError as error:
        place.fault(node, str(error))
        return None
    problems = [problem for one in values if (problem := check(one))]
    for problem in problems:
        place.fault(node, *problem)
    return None if problems else values


def texts(node: yaml.Node, place: Place) -> tuple[str, ...] | None:
    """A list of texts, each as written."""
    if not isinstance(node, yaml.SequenceNode):
        place.fault(node, f"must be a list such as [a, b], not {kind(node)}")
        return None
    values = []
    for index, item in enumerate(node.value):
        if not isinstance(item, yaml.ScalarNode):
            place.under(index).fault(item, f"must be text, not {kind(item)}")
            return None
        values.append(str(item.value))
    return tuple(values)


def tags(node: yaml.Node, place: Place) -> tuple[str, ...] | None:
    """A list of tags, each a good name."""
    values = texts(node, place)
    problems = [problem for value in values or () if (problem := name(value))]
    for problem in problems:
        place.fault(node, problem)
    return None if problems else values


def environment(node: yaml.Node, place: Place) -> dict[str, str] | None:
    """Variables with their texts as written; a secret is refused without showing it."""
    if not isinstance(node, yaml.MappingNode):
        place.fault(node, f"must be variables such as {{NCCL_DEBUG: INFO}}, not {kind(node)}")
        return None
    values: dict[str, str] = {}
    for key_node, value in node.value:
        key = str(key_node.value)
        here = place.under(key)
        if is_secret_name(key):
            refuse_secret(key_node, here)
        elif not _VARIABLE.fullmatch(key):
            here.fault(key_node, f"{key!r} is not the name of an environment variable")
        elif key in values:
            here.fault(key_node, "is given twice")
        elif not isinstance(value, yaml.ScalarNode):
            here.fault(value, f"must be text, not {kind(value)}")
        else:
            values[key] = str(value.value)
    return values


def refuse_secret(node: yaml.Node, place: Place) -> None:
    """Report a secret, never with its value."""
    place.fault(
        node,
        "a secret must not be in this file",
        "remove the line; dtui asks for it when it is needed, or takes it from the system's keyring",
    )
