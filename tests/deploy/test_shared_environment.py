"""Environments of nodes that share the project's folder: an NFS home."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from fleet.events import EnvironmentOutput
from fleet.inventory import Node, RunSettings
from tests.deploy.conftest import BASE_PYTHON, Outcome, Site
from tests.deploy.test_environment import program
from tests.support.wheels import make_wheel


@pytest.fixture
def shared(site: Site, uv_program: Path) -> Site:
    """A site whose nodes share a folder, with a project that uv installs from a wheelhouse."""
    folder = site.path / "home/.local/bin"
    folder.mkdir(parents=True)
    (folder / "uv").symlink_to(uv_program)
    make_wheel(site.source / "wheels", "leaf")
    site.write({"requirements.txt": "leaf\n"})
    site.run = RunSettings(wheelhouse="wheels", env=(("UV_CACHE_DIR", "$HOME/cache-of-uv"),))
    return site


def node(site: Site, name: str) -> Node:
    made = site.node(name, site.path / "nfs")
    return replace(made, environment="uv", interpreter=None, python=BASE_PYTHON)


def described(site: Site, file: str) -> dict[str, Any]:
    return json.loads((site.path / "nfs/.dtui" / file).read_text())  # type: ignore[no-any-return]


def printed(outcome: Outcome, name: str) -> str:
    return "".join(event.text for event in outcome.of(EnvironmentOutput, name))


async def test_a_node_of_the_same_kind_uses_the_environment_that_is_there(shared: Site) -> None:
    first = await shared.deploy(node(shared, "gpu1"))
    assert first.end("gpu1").ok, first.end("gpu1").detail
    assert "leaf" in printed(first, "gpu1")
    second = await shared.deploy(node(shared, "gpu2"))
    assert second.end("gpu2").ok, second.end("gpu2").detail
    assert printed(second, "gpu2") == "", "nothing is installed again"
    one, two = described(shared, "environment.json"), described(shared, "environment-gpu2.json")
    assert (one["node"], two["node"]) == ("gpu1", "gpu2")
    assert one["interpreter"] == two["interpreter"] == str(shared.path / "nfs/.venv/bin/python")


async def test_a_node_of_another_kind_replaces_nothing(shared: Site) -> None:
    assert (await shared.deploy(node(shared, "gpu1"))).end("gpu1").ok
    # As if a machine with another system had made it.
    file = shared.path / "nfs/.dtui/environment.json"
    first = {**described(shared, file.name), "host": "win32/amd64"}
    file.write_text(json.dumps(first))
    before = sorted((shared.path / "nfs/.venv").rglob("*"))
    outcome = await shared.deploy(node(shared, "gpu2"))
    assert outcome.end("gpu2").ok, outcome.end("gpu2").detail
    assert "leaf" in printed(outcome, "gpu2")
    assert described(shared, "environment.json") == first
    assert sorted((shared.path / "nfs/.venv").rglob("*")) == before
    own = shared.path / "nfs/.dtui/venv-gpu2"
    assert described(shared, "environment-gpu2.json")["interpreter"] == str(own / "bin/python")
    assert list(own.glob("lib/*/site-packages/leaf.py"))

    # Both stay what they are, and a third node uses the one that suits it.
    again = await shared.deploy(node(shared, "gpu2"), node(shared, "gpu3"))
    assert again.details("gpu2")["environment"].startswith("unchanged")
    assert printed(again, "gpu3") == ""
    assert described(shared, "environment-gpu3.json")["interpreter"] == str(own / "bin/python")
    assert described(shared, "environment.json") == first


async def test_uv_sync_of_another_kind_of_node_uses_a_folder_of_its_own(shared: Site) -> None:
    shared.run = replace(shared.run, wheelhouse=None)
    (shared.source / "requirements.txt").unlink()
    shared.write({"pyproject.toml": '[project]\nname = "own"\nversion = "1"\nrequires-python = ">=3.9"\n'})
    assert (await shared.deploy(node(shared, "gpu1"))).end("gpu1").ok
    file = shared.path / "nfs/.dtui/environment.json"
    file.write_text(json.dumps({**described(shared, file.name), "host": "win32/amd64"}))
    made = (shared.path / "nfs/.venv/pyvenv.cfg").stat().st_mtime_ns
    outcome = await shared.deploy(node(shared, "gpu2"))
    assert outcome.end("gpu2").ok, outcome.end("gpu2").detail
    assert (shared.path / "nfs/.dtui/venv-gpu2/pyvenv.cfg").exists()
    assert (shared.path / "nfs/.venv/pyvenv.cfg").stat().st_mtime_ns == made


async def test_given_interpreters_are_described_for_each_node(site: Site) -> None:
    site.write({"a.py": ""})
    other = program(site.path / "python", f'exec {BASE_PYTHON} "$@"')
    nodes = [
        replace(site.node(name, site.path / "nfs"), interpreter=interpreter)
        for name, interpreter in (("gpu1", BASE_PYTHON), ("gpu2", other))
    ]
    for _ in range(2):
        outcome = await site.deploy(*nodes)
        assert all(outcome.end(one.name).ok for one in nodes)
    assert all(outcome.details(one.name)["environment"].startswith("unchanged") for one in nodes)
    kept = [described(site, path.name) for path in (site.path / "nfs/.dtui").glob("environment*.json")]
    assert {(one["node"], one["interpreter"]) for one in kept} == {("gpu1", BASE_PYTHON), ("gpu2", other)}
