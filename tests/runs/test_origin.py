"""What a run was started from is known afterwards: configuration, code, and the settings one by one."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from msgspec.structs import replace

from fleet.event_json import from_json, to_json
from fleet.events import RunPlanned
from fleet.inventory import Inventory
from fleet.runs import launch
from fleet.runs.origin import Origin, read_origin
from fleet.runs.store import RunStore
from tests.runs.fleets import collect, fleet_of, inventory, of, plan_of, watched

CONFIG = "training:\n  batch_size: 8\n  betas: [0.9, 0.95]\nwandb:\n  api_key: hunter2\n  project: 평면도\n"


@pytest.fixture
def configured(tmp_path: Path) -> Inventory:
    plain = inventory(tmp_path, 'say("done")\n', master=1)
    (plain.project / "train.yaml").write_text(CONFIG, encoding="utf-8")
    return replace(plain, run=replace(plain.run, config="train.yaml"))


def test_settings_are_flat_and_secrets_are_not_kept(configured: Inventory) -> None:
    origin = read_origin(configured)
    assert origin.config == "train.yaml"
    assert origin.settings == {
        "training.batch_size": "8",
        "training.betas": "[0.9, 0.95]",
        "wandb.api_key": "(not kept)",
        "wandb.project": '"평면도"',
    }
    assert "hunter2" not in origin.to_json()
    assert Origin.from_json(origin.to_json()) == origin


def test_each_digest_changes_with_its_own_thing(configured: Inventory) -> None:
    first = read_origin(configured)
    assert len(first.config_digest) == len(first.code_digest) == 12
    (configured.project / "notes.txt").write_text("nothing that runs", encoding="utf-8")
    assert read_origin(configured) == first
    (configured.project / "train.yaml").write_text(CONFIG.replace("8", "16"), encoding="utf-8")
    second = read_origin(configured)
    assert second.config_digest != first.config_digest
    assert second.code_digest == first.code_digest
    (configured.project / "program.py").rename(configured.project / "other.py")
    assert read_origin(configured).code_digest != first.code_digest
    (configured.project / "other.py").rename(configured.project / "program.py")
    assert read_origin(configured) == second
    with (configured.project / "program.py").open("a", encoding="utf-8") as file:
        file.write("# changed\n")
    assert read_origin(configured).code_digest != second.code_digest


@pytest.mark.parametrize(
    "text", [b"", b"a: [", b"- 1\n- 2\n", b"just a text", b"\xff\xfe", b"1: 2\n", b"a: &x [*x]\n"]
)
def test_a_configuration_that_cannot_be_read_stops_no_run(text: bytes, configured: Inventory) -> None:
    (configured.project / "train.yaml").write_bytes(text)
    origin = read_origin(configured)
    assert bool(origin.config_digest) == bool(text)
    (configured.project / "train.yaml").unlink()
    assert read_origin(configured).config_digest == ""


async def test_a_launch_records_it_and_an_old_recording_still_loads(configured: Inventory) -> None:
    async with fleet_of(configured) as fleet:
        (planned,) = of(await collect(launch(fleet, plan_of(configured))), RunPlanned)
        await watched(fleet)
    origin = read_origin(configured)
    assert (planned.config_digest, planned.code_digest) == (origin.config_digest, origin.code_digest)
    store = RunStore(fleet.home, "run-1")
    assert store.origin() == origin
    assert next(store.events()) == planned

    old = json.loads(to_json(planned))
    del old["config_digest"], old["code_digest"]
    assert from_json(json.dumps(old)) == replace(planned, config_digest="", code_digest="")


@pytest.mark.parametrize("text", ["", "{", "[]", '{"settings": 5}', '{"settings": {}}', "\x00"])
def test_a_damaged_origin_reads_as_none(text: str, tmp_path: Path) -> None:
    store = RunStore(tmp_path, "run-1")
    assert store.origin() == Origin()
    store.folder.mkdir(parents=True)
    (store.folder / "origin.json").write_text(text, encoding="utf-8")
    assert store.origin() == Origin()
