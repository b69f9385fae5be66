"""Changes single nodes in a user's nodes.yaml, keeping comments and layout.

Each edit is tried on the text first: what results must read back as the inventory with just that change,
else nothing is written.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml
from msgspec.structs import replace

from agent.wire.message import message
from fleet import bounded_yaml
from fleet.inventory.faults import Fault, InventoryError
from fleet.inventory.layout import insert_lines, item_lines, line_end, put_key
from fleet.inventory.load import parse_inventory
from fleet.inventory.model import Inventory, Node
from fleet.inventory.node_names import name_of
from fleet.inventory.render import write_inventory
from fleet.inventory.source import Place, allocating, in_order, read_text
from fleet.inventory.yaml_text import entry
from fleet.nodeset import expand, fold_in_order

#: Keys and values as nodes.yaml has them, e.g. ``{"name": "gpu9", "address": "192.168.1.109", "gpus": 4}``.
Fields = Mapping[str, object]
_EDIT_BY_HAND = message("inventory.edit.remedy", "edit the file manually")


def add_node(path: Path, fields: Fields) -> Inventory:
    """Add an entry at the end of ``nodes`` and return the new inventory; raises InventoryError."""
    text, before = _read(path)
    changed = _with_entry(text, _root(text), fields, path)
    after = parse_inventory(changed, path)
    old = {node.name for node in before.workers}
    kept = [node for node in after.workers if node.name in old]
    return _write(path, changed, before, after, (before.workers, kept))


def remove_node(path: Path, name: str) -> Inventory:
    """Remove a worker, also from the middle of a node set; raises InventoryError."""
    text, before = _read(path)
    found = _find(text, name, path)
    rest = [pair for pair in found.pairs if pair[0] != name]
    if rest:
        changed = _renamed(text, found, rest)
    else:
        start, end = item_lines(text, found.item)
        changed = text[:start] + text[end:]
    after = parse_inventory(changed, path)
    kept = [node for node in before.workers if node.name != name]
    return _write(path, changed, before, after, (kept, after.workers))


def change_node(path: Path, name: str, fields: Fields) -> Inventory:
    """Set keys of a worker (None removes one); in a node set it gets its own entry. Raises InventoryError."""
    text, before = _read(path)
    found = _find(text, name, path)
    if len(found.pairs) > 1:
        text = _split(text, found, name)
        found = _find(text, name, path)
    for key, content in fields.items():
        # Each edit moves the rest, so the entry is found again by its place in the file.
        text = put_key(text, _entries(_root(text))[found.number][1], key, content)
    after = parse_inventory(text, path)
    place = [node.name for node in before.workers].index(name)
    kept = (_without(before.workers, place), _without(after.workers, place))
    return _write(path, text, before, after, kept)


@dataclass(frozen=True)
class _Found:
    """An entry: its number among all entries of the file, its YAML nodes, its (name, address) pairs."""

    number: int
    sequence: yaml.SequenceNode
    item: yaml.MappingNode
    pairs: tuple[tuple[str, str], ...]


def _read(path: Path) -> tuple[str, Inventory]:
    place = Place(str(path))
    text = read_text(path, place)
    if text is None or place.faults:
        raise InventoryError(in_order(place.faults))
    return text, parse_inventory(text, path)


def _write(
    path: Path, text: str, before: Inventory, after: Inventory, kept: tuple[Sequence[Node], Sequence[Node]]
) -> Inventory:
    """Write the text if all but the change is as before; ``kept`` are the other workers before and after."""
    same = replace(before, workers=()) == replace(after, workers=())
    if not same or list(kept[0]) != list(kept[1]):
        what = message("inventory.edit-changes-others", "this edit would change other nodes too")
        raise InventoryError([Fault(what, _EDIT_BY_HAND, str(path))])
    write_inventory(path, text)
    return after


def _by_hand(node: yaml.Node, path: Path) -> InventoryError:
    mark = node.start_mark
    what = message("inventory.edit-one-line", "dtui cannot edit a list of nodes that is written on one line")
    return InventoryError([Fault(what, _EDIT_BY_HAND, str(path), mark.line + 1, mark.column + 1)])


def _without(nodes: Sequence[Node], place: int) -> list[Node]:
    return [*nodes[:place], *nodes[place + 1 :]]


def _root(text: str) -> yaml.MappingNode:
    with allocating():
        root = bounded_yaml.compose(text, bounded_yaml.INVENTORY)
    assert isinstance(root, yaml.MappingNode), "the text was read as an inventory before"
    return root


def _child(block: yaml.Node | None, key: str) -> yaml.Node | None:
    pairs = block.value if isinstance(block, yaml.MappingNode) else []
    return next((value for name, value in pairs if name.value == key), None)


def _entries(root: yaml.MappingNode) -> list[tuple[yaml.SequenceNode, yaml.MappingNode]]:
    groups = _child(root, "groups")
    blocks = [value for _, value in groups.value] if isinstance(groups, yaml.MappingNode) else []
    sequences = [_child(block, "nodes") for block in (*blocks, root)]
    return [
        (sequence, item)
        for sequence in sequences
        if isinstance(sequence, yaml.SequenceNode)
        for item in sequence.value
    ]


def _find(text: str, name: str, path: Path) -> _Found:
    for number, (sequence, item) in enumerate(_entries(_root(text))):
        own_name, own_address = _child(item, "name"), _child(item, "address")
        addresses = expand(own_address.value) if own_address is not None else ()
        names = expand(own_name.value) if own_name is not None else tuple(map(name_of, addresses))
        if name in names:
            if sequence.flow_style:
                raise _by_hand(sequence, path)
            return _Found(number, sequence, item, tuple(zip(names, addresses or names, strict=True)))
    what = message("inventory.unknown-worker", "there is no worker {name!r}", name=name)
    raise InventoryError([Fault(what, file=str(path))])


def _renamed(text: str, found: _Found, pairs: Sequence[tuple[str, str]]) -> str:
    """Return the text with an entry that describes these nodes only."""
    names, addresses = zip(*pairs, strict=True)
    for key, values in (("address", addresses), ("name", names)):
        item = _entries(_root(text))[found.number][1]
        if _child(item, key) is not None:
            text = put_key(text, item, key, fold_in_order(values))
    return text


def _split(text: str, found: _Found, name: str) -> str:
    """Return the text with an entry of a set cut into those before the node, the node, and those after it."""
    place = [own for own, _ in found.pairs].index(name)
    parts = [
        part
        for part in (found.pairs[:place], found.pairs[place : place + 1], found.pairs[place + 1 :])
        if part
    ]
    start, end = item_lines(text, found.item)
    lines = text[start:end].splitlines()
    for _ in parts[1:]:
        text = insert_lines(text, end, lines)
    for offset, part in enumerate(parts):
        sequence, item = _entries(_root(text))[found.number + offset]
        text = _renamed(text, _Found(found.number + offset, sequence, item, part), part)
    return text


def _with_entry(text: str, root: yaml.MappingNode, fields: Fields, path: Path) -> str:
    block = _child(root, "nodes")
    if block is None:
        return insert_lines(text, len(text), ["nodes:", *entry(fields, 2)])
    if isinstance(block, yaml.SequenceNode) and block.value and not block.flow_style:
        lines = entry(fields, block.start_mark.column)
        return insert_lines(text, item_lines(text, block.value[-1])[1], lines)
    if isinstance(block, yaml.SequenceNode) and block.value:
        raise _by_hand(block, path)
    # `nodes:` or `nodes: []`
    start, end = block.start_mark.index, block.end_mark.index
    text = text[:start].rstrip(" ") + text[end:]
    return insert_lines(text, line_end(text, len(text[:start].rstrip(" "))), entry(fields, 2))
