"""Writes an inventory as a commented nodes.yaml that reads back as the same inventory."""

from __future__ import annotations

import dataclasses
import os
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from fleet.inventory.faults import Fault, InventoryError
from fleet.inventory.load import parse_inventory
from fleet.inventory.model import Inventory, Node, RunSettings, default_project
from fleet.inventory.yaml_text import entry, scalar, value
from fleet.nodeset import fold_in_order

_HEAD = """\
# The nodes of this project and what runs on them. All keys: docs/inventory.md
# No password belongs in here: dtui asks for it, or takes it from the system's keyring.
"""


def to_yaml(inventory: Inventory, path: Path) -> str:
    """Return the text of a nodes.yaml for ``path``; workers that are alike share one entry."""
    folder = path.resolve().parent
    lines = [_HEAD + f"project: {scalar(_relative(inventory.project, folder))}"]
    lines += ["production: true", ""] if inventory.production else [""]
    if run := _run_fields(inventory.run):
        lines += ["run:", *_indented(run), ""]
    lines += ["# The machine that dtui runs on; it is rank 0.", "master:"]
    lines += [*_indented(_master_fields(inventory.master)), "", "# In the order of their ranks."]
    lines.append("nodes:" if inventory.workers else "nodes: []")
    for names, addresses, node in _alike(inventory.workers):
        lines += entry(node_fields(node, names, addresses, default_project(inventory.project)), 2)
    return "\n".join(lines) + "\n"


def save_inventory(inventory: Inventory, path: Path) -> None:
    """Write a fresh nodes.yaml beside ``path``, read it back, and rename it into place."""
    text = to_yaml(inventory, path)
    if parse_inventory(text, path) != inventory:
        raise InventoryError([Fault("a file can't tell all of this inventory", file=str(path))])
    replace_file(path, text)


def replace_file(path: Path, text: str) -> None:
    """Write beside and rename, so that a reader sees the old file or the new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.new-{os.getpid()}")
    try:
        with beside.open("w", encoding="utf-8", newline="") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        if path.exists():
            beside.chmod(path.stat().st_mode)
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)


def node_fields(node: Node, names: str, addresses: str, project: str) -> dict[str, object]:
    """Return what an entry of ``nodes`` says, without what holds anyhow."""
    fields: dict[str, object] = {"name": names}
    if addresses != names:
        fields["address"] = addresses
    for key in ("port", "user", "python"):
        if getattr(node, key) is not None:
            fields[key] = getattr(node, key)
    if node.transport != "auto":
        fields["transport"] = node.transport
    if node.identity is not None:
        fields["identity"] = str(node.identity)
    if node.options:
        fields["winrm"] = dict(node.options)
    if node.project != project:
        fields["project"] = node.project
    return fields | _rank_fields(node)


def _indented(fields: dict[str, object]) -> list[str]:
    return [f"  {key}: {value(content)}" for key, content in fields.items()]


def _run_fields(run: RunSettings) -> dict[str, object]:
    default = RunSettings()
    fields: dict[str, object] = {}
    if run.script is not None:
        fields["script"] = run.script
    elif run.module != default.module:
        fields["module"] = run.module
    for field in dataclasses.fields(run):
        content = getattr(run, field.name)
        if field.name not in ("module", "script") and content != getattr(default, field.name):
            fields[field.name] = dict(content) if field.name == "env" else content
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
    for node in [*workers, None]:
        if run and (node is None or not _foldable([*run, node])):
            yield (*_folded(run), run[0])
            run = []
        if node is not None:
            run.append(node)


def _foldable(nodes: Sequence[Node]) -> bool:
    settings = {dataclasses.replace(node, name="", address="") for node in nodes}
    if len(settings) > 1:
        return False
    return _one_set([node.name for node in nodes]) and _one_set([node.address for node in nodes])


def _one_set(values: Sequence[str]) -> bool:
    return "," not in re.sub(r"\[.*?\]", "", fold_in_order(values))


def _folded(nodes: Sequence[Node]) -> tuple[str, str]:
    if len(nodes) == 1:
        return nodes[0].name, nodes[0].address
    return fold_in_order([node.name for node in nodes]), fold_in_order([node.address for node in nodes])
