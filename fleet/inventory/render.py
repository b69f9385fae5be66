"""Writes an inventory as a commented nodes.yaml that reads back as the same inventory."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Final

from msgspec.structs import fields as fields_of
from msgspec.structs import replace

from agent.wire.message import message
from fleet.file_replacement import replace_file, replace_user_file
from fleet.inventory.faults import Fault, InventoryError
from fleet.inventory.load import parse_inventory
from fleet.inventory.model import (
    DataSettings,
    Inventory,
    Node,
    RunSettings,
    SetupCommand,
    default_project,
)
from fleet.inventory.sizes import size_text
from fleet.inventory.yaml_text import entry, scalar, value
from fleet.nodeset import fold_in_order, split_at_number
from fleet.private_files import make_folder
from transports.kind import WholeNumber
from transports.registry import DEFAULT_TRANSPORT

_HEAD = """\
# The nodes of this project and what runs on them. All keys: docs/inventory.md
# Do not write passwords here: dtui asks for them or reads them from the system keyring.
"""


#: Comment lines of a new nodes.yaml, by the block that they stand before.
Comments = Mapping[str, Sequence[str]]
NO_COMMENTS: Final[Comments] = MappingProxyType({})


def to_yaml(inventory: Inventory, path: Path, comments: Comments = NO_COMMENTS) -> str:
    """Return the text of a nodes.yaml for ``path``; equal workers share one entry."""
    folder = path.resolve().parent
    lines = [_HEAD + f"project: {scalar(_relative(inventory.project, folder))}"]
    lines += ["production: true", ""] if inventory.production else [""]
    run, remarks = _run_fields(inventory.run), _comment_lines(comments, "run")
    if run or remarks:
        lines += [*remarks, *(["run:", *_indented(run)] if run else []), ""]
    if inventory.outputs:
        lines += [f"outputs: {value(inventory.outputs)}", ""]
    if inventory.data is not None:
        data = _indented(_data_fields(inventory.data))
        lines += [*_comment_lines(comments, "data"), "data:", *data, ""]
    lines += ["# The machine that dtui runs on; it is rank 0.", "master:"]
    lines += [*_indented(_master_fields(inventory.master)), "", "# In the order of their ranks."]
    lines.append("nodes:" if inventory.workers else "nodes: []")
    for names, addresses, node in _alike(inventory.workers):
        lines += entry(node_fields(node, names, addresses, default_project(inventory.project)), 2)
    return "\n".join(lines) + "\n"


def save_inventory(inventory: Inventory, path: Path, comments: Comments = NO_COMMENTS) -> None:
    """Write a new nodes.yaml after parsing its text as a check; raises InventoryError and OSError."""
    text = to_yaml(inventory, path, comments)
    if parse_inventory(text, path) != inventory:
        what = message("inventory.not-writable", "nodes.yaml cannot describe this inventory")
        raise InventoryError([Fault(what, file=str(path))])
    write_inventory(path, text)


def write_inventory(path: Path, text: str) -> None:
    """Replace an inventory file as a whole; one in ``.dtui`` is private. Raises OSError."""
    if path.parent.name == ".dtui":
        make_folder(path.parent)
        replace_file(path, text.encode("utf-8"))
    else:
        replace_user_file(path, text)


def node_fields(node: Node, names: str, addresses: str, project: str) -> dict[str, object]:
    """Return the fields of an entry of ``nodes`` that differ from the defaults."""
    fields: dict[str, object] = {"name": names}
    if addresses != names:
        fields["address"] = addresses
    for key in ("port", "user", "python"):
        if getattr(node, key) is not None:
            fields[key] = getattr(node, key)
    if node.transport != DEFAULT_TRANSPORT:
        fields["transport"] = node.transport
    if node.identity is not None:
        fields["identity"] = str(node.identity)
    fields |= _option_blocks(node)
    if node.project != project:
        fields["project"] = node.project
    return fields | _rank_fields(node)


def _option_blocks(node: Node) -> dict[str, object]:
    """Return the options of the node's transport, or of those that it tries, in their blocks."""
    given = dict(node.options)
    blocks: dict[str, object] = {}
    for kind in node.kind.members:
        block = {
            option.name: int(given[option.name])
            if isinstance(option.type, WholeNumber)
            else given[option.name]
            for option in kind.options
            if option.name in given
        }
        if block:
            blocks[kind.name] = block
    return blocks


def _comment_lines(comments: Comments, block: str) -> list[str]:
    # A name in the project's folder may have any character.
    return ["# " + "".join(c if c.isprintable() else "?" for c in line) for line in comments.get(block, ())]


def _indented(fields: dict[str, object]) -> list[str]:
    return [f"  {key}: {value(content)}" for key, content in fields.items()]


def _run_fields(run: RunSettings) -> dict[str, object]:
    default = RunSettings()
    fields: dict[str, object] = {}
    if run.script is not None:
        fields["script"] = run.script
    elif run.module != default.module:
        fields["module"] = run.module
    for field in fields_of(run):
        content = getattr(run, field.name)
        if field.name not in ("module", "script") and content != getattr(default, field.name):
            fields[field.name] = content
    if run.env:
        fields["env"] = dict(run.env)
    if run.setup:
        fields["setup"] = [_setup_command(command) for command in run.setup]
    if run.log_limit is not None:
        fields["log_limit"] = size_text(run.log_limit)
    return fields


def _setup_command(command: SetupCommand) -> object:
    words = list(command.run)
    return words if command.inputs is None else {"run": words, "inputs": list(command.inputs)}


def _data_fields(data: DataSettings) -> dict[str, object]:
    default = DataSettings()
    fields: dict[str, object] = {"root": data.root} if data.root is not None else {}
    if data.on:
        fields["on"] = dict(data.on)
    for key in ("sync", "parity"):
        if getattr(data, key) != getattr(default, key):
            fields[key] = getattr(data, key)
    return fields


def _master_fields(master: Node) -> dict[str, object]:
    fields: dict[str, object] = {"name": master.name}
    if master.address:
        fields["address"] = master.address
    if master.python is not None:
        fields["python"] = master.python
    return fields | _rank_fields(master)


def _rank_fields(node: Node) -> dict[str, object]:
    fields: dict[str, object] = {}
    if node.environment == "existing":
        fields["environment"] = "existing"
    for key in ("interpreter", "gpus", "processes", "interface"):
        if getattr(node, key) is not None:
            fields[key] = getattr(node, key)
    if node.tags:
        fields["tags"] = node.tags
    if node.env:
        fields["env"] = dict(node.env)
    return fields


def _relative(project: Path, folder: Path) -> str:
    try:
        return Path(os.path.relpath(project, folder)).as_posix()
    except ValueError:  # another drive on Windows
        return str(project)


def _alike(workers: Sequence[Node]) -> Iterable[tuple[str, str, Node]]:
    """Yield (names, addresses, one of them) for each run of neighbours that differ in nothing else."""
    run: list[Node] = []
    settings: Node | None = None
    names = addresses = _Ascending("")
    for node in workers:
        own = replace(node, name="", address="")
        if own != settings or not (names.takes(node.name) and addresses.takes(node.address)):
            if run:
                yield (*_folded(run), run[0])
            run, settings = [], own
            names, addresses = _Ascending(node.name), _Ascending(node.address)
        run.append(node)
    if run:
        yield (*_folded(run), run[0])


class _Ascending:
    """Collects texts that one node set with one bracket can name: ``gpu1, gpu2, gpu5`` is ``gpu[1-2,5]``."""

    def __init__(self, first: str) -> None:
        self._family: tuple[str, str] | None = None
        self._last = ""
        self._width: int | None = 0
        self._padded = False
        self.takes(first)

    def takes(self, text: str) -> bool:
        """Return whether the set can be continued with this text, and if so, continue it."""
        split = split_at_number(text)
        if split is None:
            goes_on = self._family is None
            self._family = ("", "")
            self._last = ""
            return goes_on
        prefix, digits, suffix = split
        padded = self._padded or (len(digits) > 1 and digits.startswith("0"))
        if self._family is None:
            self._family, self._last, self._width, self._padded = (
                (prefix, suffix),
                digits,
                len(digits),
                padded,
            )
            return True
        if self._last == "" or (prefix, suffix) != self._family or int(digits) <= int(self._last):
            return False
        width = self._width if len(digits) == self._width else None
        if padded and width is None:
            return False  # numbers with and without zeros in front share no range
        self._last, self._width, self._padded = digits, width, padded
        return True


def _folded(nodes: Sequence[Node]) -> tuple[str, str]:
    if len(nodes) == 1:
        return nodes[0].name, nodes[0].address
    return fold_in_order([node.name for node in nodes]), fold_in_order([node.address for node in nodes])
