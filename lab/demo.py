"""The demo: a project with the trainer and some data, and a lab to run it on."""

from __future__ import annotations

import asyncio
import importlib.util
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from fleet.inventory import Inventory, save_inventory
from fleet.shipped import shipped
from lab.errors import LabError
from lab.guardian import guarded
from lab.lab import Lab

INVENTORY = Path("configs/nodes.yaml")
CONFIG = Path("configs/train_config.yaml")
_MARK = Path(".dtui/demo")


@dataclass(frozen=True, slots=True)
class Demo:
    """A running demo: the lab's nodes and the inventory that names them, the project's folder included."""

    lab: Lab
    inventory: Inventory


@asynccontextmanager
async def start_demo(folder: Path, *, nodes: int = 3, winrm: int = 0) -> AsyncIterator[Demo]:
    """Make the project in ``folder`` and start the workers, ``nodes`` minus one: this machine is the master.

    The inventory file is removed with the lab, the rest of the project stays. Raises LabError when the folder
    holds something else, or the packages for training are missing.
    """
    await asyncio.to_thread(_make_project, folder)
    async with Lab(nodes - 1, winrm=winrm) as lab:
        inventory = lab.inventory(folder)
        known_hosts = folder / ".dtui" / "known_hosts"
        known_hosts.unlink(missing_ok=True)  # of an earlier demo, whose nodes no longer exist
        lab.trust(known_hosts)
        save_inventory(inventory, folder / INVENTORY)
        try:
            with guarded(lab.root, [folder / INVENTORY], known_hosts, lab.known_hosts()):
                yield Demo(lab, inventory)
        finally:
            (folder / INVENTORY).unlink(missing_ok=True)


def _make_project(folder: Path) -> None:
    missing = [name for name in ("torch", "accelerate") if importlib.util.find_spec(name) is None]
    if missing:
        raise LabError(
            f"the demo trains, and {' and '.join(missing)} can't be imported by {sys.executable}; "
            'install them with: pip install -e ".[train]"'
        )
    if folder.exists() and any(folder.iterdir()) and not (folder / _MARK).exists():
        raise LabError(f"{folder} exists and is not a demo's folder; name another with --dir")
    trainer = importlib.util.find_spec("trainer")
    assert trainer is not None
    assert trainer.origin is not None
    shutil.copytree(
        Path(trainer.origin).parent,
        folder / "trainer",
        dirs_exist_ok=True,
        ignore=shutil.ignore_patterns("__pycache__"),
    )
    (folder / _MARK).parent.mkdir(exist_ok=True)
    (folder / _MARK).touch()
    (folder / CONFIG).parent.mkdir(exist_ok=True)
    if not (folder / CONFIG).exists():
        (folder / CONFIG).write_bytes(shipped(CONFIG.name).read_bytes())
    if not (folder / "data").exists():
        _make_data(folder)


def _make_data(folder: Path) -> None:
    """Let the trainer write its sample pairs, in a separate process, since no package imports the trainer."""
    words = ["-m", "trainer.sample_data", "--out", "data", "--count", "256", "--size", "32"]
    made = subprocess.run([sys.executable, *words], cwd=folder, capture_output=True, text=True, check=False)
    if made.returncode != 0:
        raise LabError(f"the sample data could not be made: {made.stderr.strip()}")
