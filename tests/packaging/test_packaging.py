"""What is built from the tracked files can be installed into an empty environment, and works there."""

from __future__ import annotations

import os
import sys
import sysconfig
import tarfile
import venv
import zipfile
from pathlib import Path

import pytest

from tests.packaging.building import ROOT, Built, run

#: Made by the build from scripts/*.ps1.
SCRIPT = "fleet/worker_script/worker_setup.ps1"
PACKAGES = ("agent", "configs", "fleet", "lab", "trainer", "transports", "tui")


@pytest.fixture(scope="module")
def installed(built: Built, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Install the wheel into a fresh environment, dependencies beside it; yields its folder of commands."""
    folder = tmp_path_factory.mktemp("fresh")
    venv.create(folder, with_pip=False, symlinks=os.name != "nt")
    commands = folder / ("Scripts" if os.name == "nt" else "bin")
    pip = (sys.executable, "-m", "pip", "--python", commands / "python")
    run(*pip, "install", "--quiet", "--no-deps", "--no-index", built.wheel, cwd=folder)
    site = Path(
        run(
            commands / "python", "-c", "import site; print(site.getsitepackages()[-1])", cwd=folder
        ).stdout.strip()
    )
    # The dependencies of the environment that runs the tests; ours come first.
    (site / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n", "utf-8")
    return commands


def test_the_wheel_holds_every_file_of_the_packages_and_nothing_else(built: Built) -> None:
    with zipfile.ZipFile(built.wheel) as wheel:
        names = wheel.namelist()
    ours = {name for name in built.sources if name.startswith(tuple(f"{package}/" for package in PACKAGES))}
    assert {name for name in names if ".dist-info/" not in name} == ours | {SCRIPT}
    assert any(name.endswith("/licenses/LICENSE") for name in names)
    assert {
        f"configs/{name}.yaml" for name in ("nodes", "train_config", "diagnosis/memory", "telemetry")
    } <= ours


def test_the_sdist_holds_scripts_and_documents(built: Built) -> None:
    with tarfile.open(next(built.folder.glob("*.tar.gz"))) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert {name for name in built.sources if name.startswith(("scripts/", "docs/"))} <= names
    assert {"LICENSE", "README.md", "README.ko.md", "CHANGELOG.md", "pyproject.toml"} <= names


def test_the_command_tells_its_version(installed: Path, tmp_path: Path) -> None:
    told = run(installed / "dtui", "--version", cwd=tmp_path).stdout
    assert told.startswith("dtui ")
    assert told.split()[1][0].isdigit()
    where = run(installed / "python", "-c", "import fleet; print(fleet.__file__)", cwd=tmp_path).stdout
    assert Path(where.strip()).is_relative_to(installed.parent)


def test_the_installed_dtui_writes_the_same_worker_script_as_the_checkout(
    installed: Path, tmp_path: Path
) -> None:
    given = ("worker-script", "--master", "192.168.1.100", "--workers", "192.168.1.101", "--output")
    run(installed / "dtui", *given, "installed.ps1", cwd=tmp_path)
    run(sys.executable, "-m", "tui", *given, tmp_path / "checkout.ps1", cwd=ROOT)
    first, second = (
        (tmp_path / name).read_bytes().replace(name.encode(), b"")
        for name in ("installed.ps1", "checkout.ps1")
    )
    assert first == second
    assert b"function Invoke-WorkerSetup" in first


def test_the_installed_files_are_found_and_an_agent_starts(installed: Path, tmp_path: Path) -> None:
    (tmp_path / "train.py").touch()
    cache = str(tmp_path / "cache")
    dtui = installed / "dtui"
    run(dtui, "init", "--workers", "127.0.0.1", "--module", "trainer", cwd=tmp_path)
    assert (tmp_path / "configs" / "train_config.yaml").is_file()
    looked = run(dtui, "nodes", "--on", "master", cwd=tmp_path, XDG_CACHE_HOME=cache)
    assert "master" in looked.stdout
    assert "up" in looked.stdout
    assert "packages" in run(dtui, "doctor", cwd=tmp_path).stdout
