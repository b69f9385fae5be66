"""The project of an inventory as deploys and comparisons see it."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from agent.private import OWN
from fleet.data import data_of
from fleet.deploy.run_outputs import run_windows
from fleet.deploy.scan import Scan, scan
from fleet.inventory import Inventory

#: Without them, nodes would resolve the packages again.
_ENVIRONMENT = ("pyproject.toml", "uv.lock", ".python-version")


def scan_project(
    inventory: Inventory,
    root: Path | None = None,
    *,
    changing: Collection[str] = (),
    measure: bool = False,
) -> Scan:
    """Return the files that a deploy would send from ``root``, the inventory's project. Blocks."""
    root = root or inventory.project
    data = data_of(inventory)
    inside = data.inside if data is not None else None
    return scan(
        root,
        inventory=inventory.source,
        data=inside if inside and not (root / inside).is_file() else None,
        required=_required(inventory),
        changing=changing,
        outputs=inventory.outputs,
        windows=run_windows(inventory.project / OWN),
        measure=measure,
    )


def _required(inventory: Inventory) -> tuple[str, ...]:
    """Return the files that a run needs, even if a .gitignore excludes them."""
    run = inventory.run
    named = (run.script, run.program_config, run.accelerate)
    return (*(path for path in named if path is not None), *_ENVIRONMENT)
