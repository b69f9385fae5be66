"""The project of an inventory as deploys and comparisons see it."""

from __future__ import annotations

import os
import stat
from collections.abc import Collection, Iterator
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
        changing=(*changing, *_own_output(root)),
        outputs=inventory.outputs,
        windows=run_windows(inventory.project / OWN),
        measure=measure,
    )


def _own_output(root: Path) -> Iterator[str]:
    """Yield the files into which this command prints, as with ``dtui launch > launch.log``.

    They are looked for where a user is: at the top of the project, and in the current folder.
    """
    printed: list[os.stat_result] = []
    for descriptor in (1, 2):
        try:
            found = os.fstat(descriptor)
        except OSError:  # closed
            continue
        if stat.S_ISREG(found.st_mode):
            printed.append(found)
    if not printed:
        return
    root = root.resolve()
    here = Path.cwd()
    for folder in {root, here} if here.is_relative_to(root) else {root}:
        for path in folder.iterdir():
            try:
                same = any(os.path.samestat(path.stat(), one) for one in printed)
            except OSError:
                continue
            if same:
                yield path.relative_to(root).as_posix()


def _required(inventory: Inventory) -> tuple[str, ...]:
    """Return the files that a run needs, even if a .gitignore excludes them."""
    run = inventory.run
    named = (run.script, run.program_config, run.accelerate)
    return (*(path for path in named if path is not None), *_ENVIRONMENT)
