"""Reads one block of keys by the table of keys, and reports all faults in it."""

from __future__ import annotations

import difflib

import yaml
from msgspec import Struct, field

from agent.wire.message import EMPTY, Message, message
from fleet.inventory import secrets, values
from fleet.inventory.keys import KEYS, SectionName, keys_of
from fleet.inventory.source import Place, shown


class Section(Struct, frozen=True):
    """A block that was read: the good values, and the YAML node of every known key, good or not."""

    node: yaml.Node | None
    place: Place
    values: dict[str, object] = field(default_factory=dict)
    nodes: dict[str, yaml.Node] = field(default_factory=dict)
    #: Our key -> the key as the file writes it, where they differ (workers.json).
    written: dict[str, str] = field(default_factory=dict)

    def fault(self, key: str, what: Message, remedy: Message = EMPTY) -> None:
        """Report a fault at a key of this block, or at the block when the key is not there."""
        if key in self.nodes:
            self.place.under(self.written.get(key, key)).fault(self.nodes[key], what, remedy)
        else:
            self.place.fault(self.node, what, remedy)


def read_section(node: yaml.Node | None, place: Place, kind: SectionName) -> Section:
    """Return the block's values; blocks below it stay YAML nodes. Nothing written is an empty block."""
    section = Section(node, place)
    known = keys_of(kind)
    for key_node, value in entries(node, place):
        name = str(key_node.value)
        here = place.under(name)
        key = known.get(name)
        if key is None:
            report_unknown_key(key_node, value, here, _hint(name, kind))
        else:
            section.nodes[name] = value
            if key.parse is None:
                continue
            if values.is_null(value):
                here.fault(
                    key_node,
                    message("inventory.no-value", "has no value"),
                    message("inventory.no-value.remedy", "give it a value or remove the key"),
                )
            elif (parsed := key.parse(value, here)) is not None:
                section.values[name] = parsed
    return section


def report_unknown_key(key: yaml.ScalarNode, value: yaml.Node, here: Place, hint: Message) -> None:
    """Report a key that is not in the table; one with a secret is refused as such, without the value."""
    name = str(key.value)
    if secrets.holds_secret(name, value):
        secrets.refuse(key, here, name)
    else:
        here.fault(key, message("inventory.unknown-key", "unknown key {key!r}", key=shown(name)), hint)


def entries(node: yaml.Node | None, place: Place) -> list[tuple[yaml.ScalarNode, yaml.Node]]:
    """Return the pairs of a block, each key once; nothing written is an empty block."""
    if node is None or values.is_null(node):
        return []
    if not isinstance(node, yaml.MappingNode):
        place.fault(
            node,
            message("inventory.not-a-block", "must be a block of keys, not {given}", given=values.kind(node)),
            message("inventory.not-a-block.remedy", "write `key: value` lines"),
        )
        return []
    pairs: dict[str, tuple[yaml.ScalarNode, yaml.Node]] = {}
    for key, value in node.value:
        if not isinstance(key, yaml.ScalarNode):
            given = values.kind(key)
            place.fault(
                key, message("inventory.key-not-a-word", "a key must be a word, not {given}", given=given)
            )
        elif key.value in pairs:
            first = pairs[key.value][0].start_mark.line + 1
            place.under(key.value).fault(
                key,
                message("inventory.key-twice", "the key is given twice, first in line {line}", line=first),
                message("inventory.key-twice.remedy", "keep one"),
            )
        else:
            pairs[key.value] = (key, value)
    return list(pairs.values())


def _hint(name: str, kind: SectionName) -> Message:
    known = keys_of(kind)
    typed = name.lower().replace("-", "_")
    close = difflib.get_close_matches(typed, known, n=1, cutoff=0.6) if typed == shown(typed) else []
    if close:
        return message("inventory.did-you-mean", "did you mean {name!r}?", name=close[0])
    others = [section for key in KEYS if key.name == name for section in key.sections]
    if others:
        sections = tuple(dict.fromkeys(others))
        return message("inventory.key-belongs-in", "it belongs in {sections: or }", sections=sections)
    return message("inventory.known-keys", "the known keys are {keys}", keys=tuple(known))
