"""Fresh files read back as what was written, and the reference says what the reader does."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from fleet.inventory import (
    Inventory,
    InventoryError,
    Node,
    RunSettings,
    default_master,
    from_addresses,
    load_inventory,
    parse_inventory,
    save_inventory,
    to_yaml,
)
from fleet.inventory.keys import KEYS
from fleet.inventory.reference import with_reference
from fleet.inventory.values import reference_problem
from fleet.secrets.names import is_secret_name

PROJECT = Path("/").resolve()
texts = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=12).filter(str.strip)
#: A name such as X_PW_X belongs to a secret, whose value a file must not have.
names = st.from_regex(r"X_[A-Z][A-Z0-9]{0,5}_X", fullmatch=True).filter(lambda name: not is_secret_name(name))
values = texts.filter(lambda text: reference_problem(text) is None)
env = st.dictionaries(names, values, max_size=3).map(lambda found: tuple(found.items()))

options = st.sampled_from(
    [(), (("scheme", "https"),), (("auth", "ntlm"), ("python", "C:\\Python\\python.exe"))]
)


@st.composite
def nodes(draw: st.DrawFn) -> list[Node]:
    count = draw(st.integers(0, 6))
    transports = [draw(st.sampled_from(["auto", "ssh", "winrm"])) for _ in range(2)]
    settings_of = [
        Node(
            name="",
            project="~/dtui/project",
            transport=transport,
            port=draw(st.none() | st.integers(1, 65535)),
            user=draw(st.none() | texts),
            gpus=draw(st.none() | st.integers(0, 8) | st.just((1, 3))),
            interface=draw(st.none() | texts),
            tags=draw(st.sampled_from([(), ("lab",), ("lab", "새것")])),
            env=draw(env),
            options=() if transport == "ssh" else draw(options),
        )
        for transport in transports
    ]
    numbers = draw(st.lists(st.integers(1, 99), min_size=count, max_size=count, unique=True))
    return [
        replace(draw(st.sampled_from(settings_of)), name=f"gpu{number}", address=f"10.0.0.{number}")
        for number in numbers
    ]


@given(
    workers=nodes(),
    args=st.lists(texts, max_size=4),
    run_env=env,
    script=st.booleans(),
    production=st.booleans(),
    log_limit=st.none() | st.integers(1 << 10, 1 << 30).map(lambda kilobytes: kilobytes << 10),
)
@example(workers=[], args=[], run_env=(), script=False, production=False, log_limit=1_000_000_000 << 10)
@settings(max_examples=80, deadline=None)
def test_what_is_written_reads_back(
    workers: list[Node],
    args: list[str],
    run_env: object,
    script: bool,
    production: bool,
    log_limit: int | None,
) -> None:
    program = RunSettings(module=None, script="a b/train.py") if script else RunSettings()
    inventory = Inventory(
        project=PROJECT,
        master=default_master(PROJECT, "10.0.0.200"),
        workers=tuple(workers),
        run=replace(program, args=tuple(args), env=run_env, port=29501, log_limit=log_limit),
        production=production,
    )
    assert parse_inventory(to_yaml(inventory, PROJECT / "nodes.yaml"), PROJECT / "nodes.yaml") == inventory


def test_workers_that_are_alike_share_an_entry(tmp_path: Path) -> None:
    inventory = from_addresses(["192.168.1.[101-104]", "10.0.0.7"], project=tmp_path)
    path = tmp_path / "configs" / "nodes.yaml"
    save_inventory(inventory, path)
    assert "  - name: 192.168.1.[101-104]\n  - name: 10.0.0.7\n" in path.read_text()
    assert load_inventory(path) == inventory


def test_what_a_file_can_not_tell_is_not_written(tmp_path: Path) -> None:
    inventory = from_addresses(["10.0.0.1"], project=tmp_path)
    odd = replace(inventory, master=replace(inventory.master, project="/elsewhere"))
    with pytest.raises(InventoryError, match="cannot describe this inventory"):
        save_inventory(odd, tmp_path / "nodes.yaml")
    assert list(tmp_path.iterdir()) == []


def test_the_reference_is_up_to_date() -> None:
    page = (Path(__file__).parents[2] / "docs" / "inventory.md").read_text(encoding="utf-8")
    assert with_reference(page) == page
    assert all(f"`{key.name}`" in page for key in KEYS)
