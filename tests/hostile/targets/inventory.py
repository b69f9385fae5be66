"""Fuzz targets of the files that describe nodes and runs.

Each takes bytes and returns nothing. Any exception that escapes is a fault of dtui: a wrong file is reported
as an InventoryError, whose text is bounded and can be encoded.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

import yaml

from fleet import bounded_yaml
from fleet.init import find_candidates
from fleet.inventory import InventoryError, load_inventory, load_workers_json, parse_inventory, to_yaml
from fleet.inventory.faults import FaultsError
from fleet.inventory.source import MAX_FAULTS
from fleet.nodeset import NodeSetError, expand, fold_in_order, select
from fleet.runs.origin import settings_of
from fleet.secrets import MASK, masked, masked_text
from fleet.telemetry import load_settings

#: Characters that all faults of one file have together, at most.
_MAX_REPORT = 200_000


def _in_file(data: bytes, read: Callable[[Path], object]) -> object | None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "file"
        path.write_bytes(data)
        try:
            return read(path)
        except FaultsError as error:
            assert error.faults
            assert len(error.faults) <= MAX_FAULTS + 1
            assert len(str(error)) < _MAX_REPORT
            assert path.read_bytes() == data, "a file that cannot be read was changed"
            return None


def nodes_yaml(data: bytes) -> None:
    """nodes.yaml: it loads and can be written back, or it is refused."""
    inventory = _in_file(data, load_inventory)
    if inventory is None:
        return
    path = inventory.source  # type: ignore[attr-defined]
    text = to_yaml(inventory, path)  # type: ignore[arg-type]
    text.encode()
    try:
        parse_inventory(text, path)
    except InventoryError as error:
        # The folder of the file is gone by now, and nothing else may be wrong.
        assert all("there is no folder" in fault.what for fault in error.faults), str(error)


def workers_json(data: bytes) -> None:
    """workers.json."""
    _in_file(data, lambda path: load_workers_json(path, project=path.parent))


def telemetry_yaml(data: bytes) -> None:
    """configs/telemetry.yaml."""
    _in_file(data, load_settings)


def train_config(data: bytes) -> None:
    """The program's configuration, of which a run records the settings."""
    settings = settings_of(data)
    assert sum(len(name) + len(value) for name, value in settings.items()) <= 4 << 20


def yaml_text(data: bytes) -> None:
    """Any YAML: the tree is PyYAML's own, or the text is refused."""
    text = data.decode("utf-8", "replace")
    try:
        found = bounded_yaml.compose(text, bounded_yaml.CONFIGURATION)
    except yaml.YAMLError:
        return
    try:
        expected = yaml.compose(text, Loader=yaml.CSafeLoader)
    except yaml.YAMLError as error:
        raise AssertionError(f"PyYAML refuses what dtui reads: {error}") from None
    assert _tree(found) == _tree(expected)


def _tree(node: yaml.Node | None) -> object:
    if node is None or isinstance(node.value, str):
        return node and (node.tag, node.value)
    parts = [part for item in node.value for part in (item if isinstance(item, tuple) else (item,))]
    return (node.tag, [_tree(part) for part in parts])


def node_set(data: bytes) -> None:
    """Node sets: what is expanded folds to something that expands to the same."""
    text = data.decode("utf-8", "replace")
    try:
        names = expand(text)
    except NodeSetError as error:
        assert len(str(error)) < 1000
        return
    assert expand(fold_in_order(names)) == names
    try:
        select(text, {"gpu1": (), "gpu2": ("lab",)})
    except NodeSetError as error:
        str(error).encode()


def addresses(data: bytes) -> None:
    """``--workers``: addresses by commas."""
    from fleet.inventory import from_addresses

    try:
        from_addresses(data.decode("utf-8", "replace").split(","), project=Path())
    except InventoryError as error:
        assert len(str(error)) < _MAX_REPORT


def ssh_config(data: bytes) -> None:
    """~/.ssh/config, of which `dtui init` offers the hosts."""
    with tempfile.TemporaryDirectory() as folder:
        for name in ("config", "known_hosts"):
            (Path(folder) / name).write_bytes(data)
        find_candidates(Path(folder))


_PLANTED = "pL4nt3d-5ecret"


def masking(data: bytes) -> None:
    """Masking ends for any text, and leaves no value of a secret's name whatever stands around it."""
    text = data.decode("utf-8", "replace")
    assert _PLANTED not in masked_text(f"{text}\n--api-key={_PLANTED}\n{text}")
    assert masked({"api_key": text or "x"}) == {"api_key": MASK}


TARGETS: dict[str, Callable[[bytes], None]] = {
    "nodes.yaml": nodes_yaml,
    "workers.json": workers_json,
    "telemetry.yaml": telemetry_yaml,
    "train_config.yaml": train_config,
    "yaml": yaml_text,
    "node set": node_set,
    "addresses": addresses,
    "ssh_config": ssh_config,
    "masking": masking,
}


#: Inputs to begin with, one for each of the targets, in their order.
SEEDS = (
    b"defaults: {user: kim}\nnodes:\n  - name: gpu[1-8]\n    address: 10.0.0.[1-8]\n",
    b'[{"IPAddress": "10.0.0.1", "ComputerName": "W1", "GPUCount": 4}]',
    b"gpu_idle: {warn: 30, fail: 60}\n",
    b"training: &t {batch_size: 8}\nloggers: [{name: wandb, api_key: X}]\nx: {<<: *t}\n",
    b"a: &x [1, 2.5, ~, '', *y]\n? [k]\n: !!str 5\n--- |\n text\n",
    b"rack[1-2]-gpu[01-16,20],!gpu3,@lab",
    b"192.168.1.[101,105],fe80::1",
    b"Include *\nHost gpu* !gpu3\n  HostName 10.0.0.1\n  Port 2222\n[10.0.0.1]:22 ssh-ed25519 AAAA\n",
    b"https://kim:pw@host/?token=x --api-key y 'secret': \"z\"",
)
