"""Projects whose environment dtui makes, over SSH nodes: the program imports what its author has locked."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.programs.site import NODES, ProgramSite
from tests.support.wheels import install_uv, make_setuptools, make_wheel

pytestmark = [pytest.mark.timeout(1800), pytest.mark.full]

#: Below the virtual environment: nothing is installed there, so what is imported is the project's.
BASE_PYTHON = str(Path(sys._base_executable).resolve())  # type: ignore[attr-defined]
PYPROJECT = """[project]
name = "own"
version = "1"
requires-python = ">=3.9"
dependencies = ["leaf<3"]
"""


@pytest.fixture(scope="session")
def uv_program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A uv. It comes from the package index, before the lab's network has no way there."""
    return install_uv(tmp_path_factory.mktemp("uv"))


@pytest.fixture
def offline(uv_program: Path, site: ProgramSite) -> Path:
    """A project with a wheelhouse, and nodes that have uv; returns uv."""
    wheels = site.folder / "wheels"
    make_wheel(wheels, "leaf", "1.0")
    make_wheel(wheels, "leaf", "2.0")
    make_setuptools(wheels)
    for node in NODES[1:]:
        folder = site.home(node) / ".local/bin"
        folder.mkdir(parents=True, exist_ok=True)
        if not (folder / "uv").exists():
            (folder / "uv").symlink_to(uv_program)
        del site.entry(node)["interpreter"]
        site.entry(node).update(environment="uv", python=BASE_PYTHON)
    site.inventory["run"]["wheelhouse"] = "wheels"
    site.save()
    return uv_program


def test_a_uv_project_runs_with_the_versions_of_its_lock_file(site: ProgramSite, offline: Path) -> None:
    site.author("project_told.py", "train.py")
    site.write({"pyproject.toml": PYPROJECT})
    words = ["lock", "--offline", "--no-index", "--find-links", "wheels", "--python", BASE_PYTHON]
    subprocess.run(
        [str(offline), *words, "--upgrade-package", "leaf==1.0"],
        check=True,
        cwd=site.folder,
        capture_output=True,
    )
    done = site.run("up", "--on", "node1,node2", "train.py", "leaf")
    assert done.code == 0, done.said
    results = site.results("node1", "node2")
    assert len(results) == 2
    for result in results.values():
        leaf = result["imported"]["leaf"]
        assert leaf["version"] == "1.0", "2.0 is newer, and the lock file says 1.0"
        assert Path(leaf["from"]).is_relative_to(site.project(result["node"]).resolve() / ".venv")


@pytest.mark.parametrize(
    "files",
    [
        pytest.param({"setup.py": "from setuptools import setup\nsetup(name='local')\n"}, id="setup.py"),
        pytest.param(
            {
                "pyproject.toml": "[build-system]\nrequires = ['setuptools']\n"
                "build-backend = 'setuptools.build_meta'\n[project]\nname = 'local'\nversion = '1'\n"
                "requires-python = '>=3.9'\n"
            },
            id="pyproject.toml",
        ),
    ],
)
def test_an_editable_install_imports_what_was_deployed_last(
    site: ProgramSite, offline: Path, files: dict[str, str | bytes]
) -> None:
    """The script is in a folder of its own: without the installation it could not import the package."""
    site.author("project_told.py", "scripts/train.py")
    site.write({**files, "package_of_mine/__init__.py": "VERSION = 1\n"})
    for version in (1, 2):
        site.write({"package_of_mine/__init__.py": f"VERSION = {version}\n"})
        done = site.run("up", "--on", "node1,node2", "scripts/train.py", "package_of_mine")
        assert done.code == 0, done.said
        for result in site.results("node1", "node2").values():
            mine = result["imported"]["package_of_mine"]
            assert mine["version"] == version
            assert Path(mine["from"]).is_relative_to(site.project(result["node"]).resolve())
