"""Reads one block of keys by the table of keys, reporting all that is wrong in it."""

from __future__ import annotations

import difflib
from dataclasses import field
from typing import Any

import yaml

from fleet.frozen import frozen
from fleet.inventory import values
from fleet.inventory.keys import KEYS, SectionName, keys_of
from fleet.inventory.source import Place


@frozen
class Section:
    """A block that was read: the good values, and the YAML node of every known key, good or not."""

    node: yaml.Node | None
    place: Place
    values: dict[str, Any] = field(default_factory=dict)
    nodes: dict[str, yaml.Node] = field(default_factory=dict)
    #: Our key -> the key as the file writes it, where they differ (workers.json).
    written: dict[str, str] = field(default_factory=dict)

    def fault(self, key: str, what: str, remedy: str = "") -> None:
        """Report a fault at a key of this block, or at the block when the key is not there."""
        if key in self.nodes:
            self.place.under(self.written.get(key, key)).fault(self.nodes[key], what, remedy)
        else:
            self.place.fault(self.node, what, remedy)


def read_section(node: yaml.Node | None, place: Place, kind: SectionName) -> Section:
    """Return the block's values; blocks below it stay YAML nodes. Nothing written is an empty block."""
    section = Section(node, place)
    for key_node, value in entries(node, place):
        name = str(key_node.value)
        here = place.under(name)
        key = keys_of(kind).get(name)
        if values.is_secret_name(name):
            values.refuse_secret(key_node, here)
        elif key is None:
            here.fault(key_node, f"unknown key {name!r}", _hint(name, kind))
        else:
            section.nodes[name] = value
            if key.parse is None:
                continue
            if values.is_null(value):
                here.fault(key_node, "has no value", "give it one or remove the key")
            elif (parsed := key.parse(value, here)) is not None:
                section.values[name] = parsed
    return section


def entries(node: yaml.Node | None, place: Place) -> list[tuple[yaml.ScalarNode, yaml.Node]]:
    """Return the pairs of a block, each key once; nothing written is an empty block."""
    if node is None or values.is_null(node):
        return []
    if not isinstance(node, yaml.MappingNode):
        place.fault(node, f"must be a block of keys, not {values.kind(node)}", "write `key: value` lines")
        return []
    pairs: dict[str, tuple[yaml.ScalarNode, yaml.Node]] = {}
    for key, value in node.value:
        if not isinstance(key, yaml.ScalarNode):
            place.fault(key, f"a key must be a word, not {values.kind(key)}")
        elif key.value in pairs:
            first = pairs[key.value][0].start_mark.line + 1
            place.under(key.value).fault(key, f"the key is given twice, first in line {first}", "keep one")
        else:
            pairs[key.value] = (key, value)
    return list(pairs.values())


def _hint(name: str, kind: SectionName) -> str:
    known = keys_of(kind)
    close = difflib.get_close_matches(name.lower().replace("-", "_"), known, n=1, cutoff=0.6)
    if close:
        return f"did you mean {close[0]!r}?"
    elsewhere = [section for key in KEYS if key.name == name for section in key.sections]
    if elsewhere:
        return f"it belongs in {' or '.join(dict.fromkeys(elsewhere))}"
    return f"known here: {', '.join(known)}"
