"""Files that could take any amount of time or memory are refused quickly, with a reason and a place."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from fleet import bounded_yaml
from fleet.init.importers import import_file
from fleet.inventory import Inventory, InventoryError, load_inventory, load_workers_json, save_inventory
from fleet.inventory.source import MAX_FAULTS
from fleet.nodeset import MAX_NAMES
from fleet.runs.origin import settings_of

#: Seconds of processor time on a slow machine. Without limits each case takes hours, or all memory.
QUICK = 60.0


def refused(path: Path, load: Callable[[Path], object], limit: float = QUICK) -> str:
    before = path.read_bytes() if path.stat().st_size < 1 << 20 else b""
    begin = time.process_time()
    with pytest.raises(InventoryError) as caught:
        load(path)
    assert time.process_time() - begin < limit
    assert len(str(caught.value)) < 100_000
    if before:
        assert path.read_bytes() == before
    return str(caught.value)


def workers(path: Path) -> Inventory:
    return load_workers_json(path, project=path.parent)


def bomb(levels: int, width: int, name: str = "a") -> str:
    lines = [f"{name}0: &{name}0 [x, x]"]
    for level in range(1, levels):
        inner = ", ".join([f"*{name}{level - 1}"] * width)
        lines.append(f"{name}{level}: &{name}{level} [{inner}]")
    return "\n".join(lines) + "\n"


YAML: dict[str, tuple[str, str]] = {
    "900 brackets": ("nodes: " + "[" * 900, "nested more than 40 levels"),
    "100,000 brackets": ("nodes: " + "[" * 100_000, "close the brackets"),
    "100,000 braces": ("nodes: " + "{a: " * 100_000, "nested more than 40 levels"),
    "100,000 dashes": ("- " * 100_000, "nested more than 40 levels"),
    "deep indentation": ("".join(" " * n + "a:\n" for n in range(500)), "nested more than 40 levels"),
    "alias bomb of 8 levels": (bomb(8, 10), "expands to more than"),
    "alias bomb of 60 levels": (bomb(60, 2), "expands to more than"),
    "alias bomb of 5,000 levels": (bomb(5000, 1) + bomb(40, 3, "b"), "expands to more than"),
    "merge bomb": (
        "a0: &a0 {x: 1}\n"
        + "".join(f"a{n}: &a{n} {{<<: [{', '.join([f'*a{n - 1}'] * 9)}]}}\n" for n in range(1, 9)),
        "expands to more than",
    ),
    "a block within itself": ("nodes: &x [*x]\n", "refers to the block that contains it"),
    "5,000 digits": ("run: {port: " + "9" * 5000 + "}\n", "more than 400 digits"),
    "a million digits in a set": (f"nodes: [{{name: 'gpu[1-{'9' * 1_000_000}]'}}]\n", "more than 12 digits"),
    "a sexagesimal number": ("run: {port: " + ":".join(["1"] * 100_000) + "}\n", "more than 400 digits"),
    "many names": ("nodes: [{name: 'gpu[1-99999]x[1-99999]'}]\n", "has more than"),
    "many ranges": (f"nodes: [{{name: 'g[{'1-60000,' * 20_000}1]'}}]\n", "names more than"),
    "40,000 unknown keys": ("".join(f"key{n}: 1\n" for n in range(40_000)), f"after {MAX_FAULTS} faults"),
    "one key 40,000 times": ("run: {}\n" * 40_000, f"after {MAX_FAULTS} faults"),
    "40,000 wrong nodes": ("nodes:\n" + "  - {nmae: x, prot: 3}\n" * 40_000, f"after {MAX_FAULTS} faults"),
    "one name 40,000 times": ("nodes:\n" + "  - name: gpu1\n" * 40_000, f"after {MAX_FAULTS} faults"),
    "a long unknown key": (f"{'k' * 1000}: 1\n", "unknown key"),
    "a long value": (f"master: {{address: '{'1' * 300_000}'}}\n", "is not an IPv4 address"),
    "aliases of a large group": (
        "groups:\n  g0: &g {nodes: [{name: 'a[1-60000]'}]}\n"
        + "".join(f"  g{n}: *g\n" for n in range(1, 500)),
        "more than",
    ),
    "half a character": ('nodes: [{user: "a\\ud800", name: b}]\n', "YAML syntax"),
}


@pytest.mark.parametrize("case", YAML)
def test_a_yaml_file_is_refused(case: str, tmp_path: Path) -> None:
    text, reason = YAML[case]
    path = tmp_path / "nodes.yaml"
    path.write_text(text, encoding="utf-8")
    assert reason in refused(path, load_inventory)


def test_a_file_of_50_mb_is_refused_without_being_read(tmp_path: Path) -> None:
    path = tmp_path / "nodes.yaml"
    with path.open("wb") as file:
        file.write(b"#" + b" x" * (25 << 20) + b"\nnodes: []\n")
    assert "larger than 8 MiB" in refused(path, load_inventory)
    assert "larger than 8 MiB" in refused(path, workers)


JSON: dict[str, tuple[str, str]] = {
    "5,000 digits": ('[{"IPAddress": "10.0.0.1", "GPUCount": ' + "9" * 5000 + "}]", "more than 400 digits"),
    "a million digits": ('[{"IPAddress": "10.0.0.1", "GPUCount": ' + "9" * 1_000_000 + "}]", "more than 400"),
    "900 brackets": ("[" * 900 + "]" * 900, "nested"),
    "100,000 brackets": ("[" * 100_000 + "]" * 100_000, "nested"),
    "100,000 open brackets": ("[" * 100_000, "nested"),
    "40,000 empty objects": (json.dumps([{}] * 40_000), f"after {MAX_FAULTS} faults"),
    "no object": (json.dumps([1] * 40_000), f"after {MAX_FAULTS} faults"),
    "one worker 40,000 times": (json.dumps([{"IPAddress": "10.0.0.1"}] * 40_000), f"after {MAX_FAULTS}"),
}


@pytest.mark.parametrize("case", JSON)
def test_a_json_file_is_refused(case: str, tmp_path: Path) -> None:
    text, reason = JSON[case]
    path = tmp_path / "workers.json"
    path.write_text(text, encoding="utf-8")
    assert reason in refused(path, workers, 20.0)


def listed(count: int) -> str:
    return "nodes:\n" + "".join(
        f"  - name: gpu{n}\n    address: 10.0.{n // 256}.{n % 256}\n    port: 22\n    gpus: 4\n"
        for n in range(count)
    )


def as_json(count: int) -> str:
    return json.dumps(
        [{"IPAddress": f"10.0.{n // 256}.{n % 256}", "ComputerName": f"W{n}"} for n in range(count)]
    )


@pytest.mark.parametrize(
    ("name", "text", "load"),
    [
        ("nodes.yaml", listed, load_inventory),
        ("workers.json", as_json, workers),
        ("set.yaml", lambda count: f"nodes: [{{name: 'gpu[1-{count}]'}}]\n", load_inventory),
    ],
)
def test_work_grows_with_the_number_of_nodes_only(
    name: str, text: Callable[[int], str], load: Callable[[Path], Inventory], tmp_path: Path
) -> None:
    """20,000 nodes take about ten times as long as 2,000; a square would take a hundred times."""
    path = tmp_path / name
    times = {}
    for count in (2000, 20_000):
        path.write_text(text(count), encoding="utf-8")
        begin = time.process_time()
        found = load(path)
        times[count] = time.process_time() - begin
        assert len(found.workers) == count
    assert times[20_000] < 10 * times[2000] * 5 + 1.0
    begin = time.process_time()
    save_inventory(found, tmp_path / "saved.yaml")
    assert time.process_time() - begin < 40 * times[20_000] + 10.0


@pytest.mark.parametrize(
    "text",
    [
        bomb(8, 10),
        bomb(60, 2),
        "x: " + "[" * 100_000,
        "x: " + "9" * 100_000,
        "x: " + ":".join(["1"] * 100_000),
        "#" * (2 << 20),
        "a: &x [*x]",
        "x: !!timestamp y\n",
        "x: !!int z\n",
        "x: !!binary é\n",
        "x: 2001-99-99\n",
        "? [a, b]\n: 1\n",
        "? {a: 1}\n: 1\n",
    ],
)
def test_a_configuration_that_is_a_bomb_stops_no_launch(text: str) -> None:
    begin = time.process_time()
    assert settings_of(text.encode()) == {}
    assert time.process_time() - begin < QUICK


def test_aliases_that_stand_for_little_are_read() -> None:
    found = settings_of(b"base: &b {lr: 0.1}\na: {<<: *b, steps: 5}\nb: *b\n")
    assert found == {"base.lr": "0.1", "a.lr": "0.1", "a.steps": "5", "b.lr": "0.1"}


def test_the_tree_is_that_of_pyyaml() -> None:
    for path in Path().glob("configs/*.yaml"):
        assert bounded_yaml.load(path.read_bytes()) == yaml.safe_load(path.read_bytes())


@pytest.mark.parametrize(
    "text",
    [
        "[g]\nx[0:999999]y[0:999999]\n",
        "[g]\n" + "x[0:65535]\n" * 2000,
        "all:\n  hosts:\n    'x[0:999999]y[0:999999]z[a:z]':\n",
        "[g0]\nhost\n" + "".join(f"[g{n}:children]\ng{n - 1}\n" for n in range(1, 50_000)),
        "[g:children]\ng\nh\n[h:children]\ng\n[g]\nhost\n",
    ],
    ids=[
        "two ranges",
        "the same range again and again",
        "in YAML",
        "a chain of groups",
        "groups within themselves",
    ],
)
def test_an_ansible_inventory_costs_bounded_time(text: str, tmp_path: Path) -> None:
    path = tmp_path / "inventory"
    path.write_text(text)
    begin = time.process_time()
    imported = import_file(path)
    assert time.process_time() - begin < 2 * QUICK
    assert 1 <= len(imported.hosts) <= MAX_NAMES
    if len(imported.hosts) == MAX_NAMES:
        assert "hosts beyond the limit of 65536 are left out" in str(imported.skipped)
