"""Environments from each kind of project file, without a network: the wheels are made here."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from msgspec.structs import replace

from fleet.deploy import DeployOptions
from fleet.events import EnvironmentOutput, Notice
from fleet.inventory import Node, RunSettings
from tests.deploy.conftest import BASE_PYTHON, Outcome, Site
from tests.deploy.test_environment import program
from tests.support.wheels import make_setuptools, make_wheel

PROJECT = '[project]\nname = "a"\nversion = "1"\nrequires-python = ">=3.9"\ndependencies = ["leaf==1.0"]\n'
TOOLS = "[tool.ruff]\nline-length = 100\n"
SETUP = "from setuptools import setup\nsetup(name='local')\n"


@pytest.fixture
def offline(site: Site, uv_program: Path) -> Site:
    """A site whose project has a wheelhouse, and whose node has uv."""
    folder = site.path / "home/.local/bin"
    folder.mkdir(parents=True)
    (folder / "uv").symlink_to(uv_program)
    make_wheel(site.source / "wheels", "leaf", "1.0")
    make_wheel(site.source / "wheels", "leaf", "2.0")
    make_setuptools(site.source / "wheels")
    # The variables reach uv, resolved on the node.
    site.run = RunSettings(wheelhouse="wheels", env=(("UV_CACHE_DIR", "$HOME/cache-of-uv"),))
    return site


def made(site: Site) -> Node:
    return replace(site.node(), environment="uv", interpreter=None, python=BASE_PYTHON)


def printed(outcome: Outcome) -> str:
    return "".join(event.text for event in outcome.of(EnvironmentOutput))


def imported(site: Site, module: str, value: str) -> str:
    interpreter = site.path / "node1/.venv/bin/python"
    words = [str(interpreter), "-c", f"import {module}; print({module}.{value})"]
    # It leaves bytecode in the environment, which must not count as a change of it.
    usual = {name: text for name, text in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    done = subprocess.run(words, check=True, capture_output=True, text=True, cwd="/", env=usual)
    return done.stdout.strip()


@pytest.mark.parametrize(
    ("files", "leaf", "own"),
    [
        pytest.param({"pyproject.toml": PROJECT}, "1.0", False, id="pyproject"),
        pytest.param({"requirements.txt": "leaf\n"}, "2.0", False, id="requirements"),
        pytest.param(
            {
                "pyproject.toml": TOOLS, "requirements.txt": "leaf==1.0\n-e .\n", "setup.py": SETUP,
                "mine.py": "A = 1",
            },
            "1.0", True, id="requirements-editable", marks=pytest.mark.full,
        ),
        pytest.param({"setup.py": SETUP, "mine.py": "A = 1"}, "", True, id="setup.py"),
    ],
)  # fmt: skip
async def test_an_environment_is_made_from_the_wheelhouse(
    offline: Site, files: dict[str, str | bytes], leaf: str, own: bool
) -> None:
    offline.write(files)
    outcome = await offline.deploy(made(offline))
    assert outcome.end().ok, f"{outcome.end().detail}\n{printed(outcome)}"
    assert "--offline --no-index --find-links" in printed(outcome)
    if leaf:
        assert imported(offline, "leaf", "VERSION") == leaf
    if own:
        # Editable: what is deployed next is what is imported.
        offline.write({"mine.py": "A = 22"})
        assert (await offline.deploy(made(offline))).end().ok
        assert imported(offline, "mine", "A") == "22"
    assert (offline.path / "home/cache-of-uv").is_dir()
    last = await offline.deploy(made(offline))
    assert last.details()["environment"].startswith("unchanged"), printed(last)


async def test_the_versions_of_a_lock_file_are_installed_from_the_wheelhouse(
    offline: Site, uv_program: Path
) -> None:
    offline.write({"pyproject.toml": PROJECT.replace("leaf==1.0", "leaf<3")})
    wheels = str(offline.source / "wheels")
    lock = [
        str(uv_program),
        "lock",
        "--offline",
        "--no-index",
        "--find-links",
        wheels,
        "--python",
        BASE_PYTHON,
    ]
    subprocess.run([*lock, "--upgrade-package", "leaf==1.0"], check=True, cwd=offline.source)
    outcome = await offline.deploy(made(offline))
    assert outcome.end().ok, f"{outcome.end().detail}\n{printed(outcome)}"
    assert imported(offline, "leaf", "VERSION") == "1.0"


async def test_the_index_that_a_project_names_for_a_package_is_used(offline: Site) -> None:
    offline.run = replace(offline.run, wheelhouse=None)
    sources = (
        '[tool.uv.sources]\nleaf = { index = "own" }\n'
        '[[tool.uv.index]]\nname = "own"\nurl = "./wheels"\nformat = "flat"\nexplicit = true\n'
    )
    offline.write({"pyproject.toml": PROJECT + sources})
    outcome = await offline.deploy(made(offline))
    assert outcome.end().ok, f"{outcome.end().detail}\n{printed(outcome)}"
    assert "$ uv sync" in printed(outcome)
    assert imported(offline, "leaf", "VERSION") == "1.0"


async def test_a_wheel_that_is_missing_is_named(offline: Site) -> None:
    offline.write({"requirements.txt": "absent-of-dtui\n"})
    outcome = await offline.deploy(made(offline))
    assert "absent-of-dtui" in outcome.end().detail
    assert "wheelhouse" in outcome.end().remedy


async def test_a_wheelhouse_that_the_node_lacks_is_named(offline: Site) -> None:
    offline.run = replace(offline.run, wheelhouse="~/no-wheels")
    offline.write({"requirements.txt": "leaf\n"})
    outcome = await offline.deploy(made(offline))
    assert f"{offline.path}/home/no-wheels" in outcome.end().detail


CONDA = "name: a\ndependencies: [python]\n"
#: Makes an environment as micromamba does: `create --yes --prefix P --file F`.
MICROMAMBA = f"""[ "$1 $2 $3" = "create --yes --prefix" ] || exit 9
echo "from $(cat "$6")"
mkdir -p "$4/bin" "$4/conda-meta" && ln -s {sys.executable} "$4/bin/python"
"""


async def test_conda_makes_the_environment_of_environment_yml_where_a_node_has_it(site: Site) -> None:
    site.write({"environment.yml": CONDA})
    without = await site.deploy(made(site))
    assert "environment.yml needs conda, mamba or micromamba" in without.end().detail
    assert "install micromamba" in without.end().remedy
    program(site.path / "home/.local/bin/micromamba", MICROMAMBA)
    outcome = await site.deploy(made(site))
    assert outcome.end().ok, outcome.end().detail
    assert "from name: a" in printed(outcome)
    kept = json.loads((site.path / "node1/.dtui/environment.json").read_text())
    assert kept["interpreter"] == str(site.path / "node1/.dtui/conda/bin/python")
    assert (await site.deploy(made(site))).details()["environment"].startswith("unchanged")
    site.write({"environment.yml": CONDA.replace("name: a", "name: b")})
    assert "from name: b" in printed(await site.deploy(made(site)))


async def test_files_that_take_no_part_are_named_in_a_warning(site: Site) -> None:
    program(site.path / "home/.local/bin/uv", f"mkdir -p .venv/bin; ln -sf {sys.executable} .venv/bin/python")
    site.write({"requirements.txt": "", "environment.yml": CONDA})
    outcome = await site.deploy(made(site), options=DeployOptions())
    assert any("environment.yml is not used" in notice.text for notice in outcome.of(Notice))
