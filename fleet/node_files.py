"""The files of a run that each node gets of its own."""

from __future__ import annotations

import importlib.resources

from fleet.accelerate_config import accelerate_config
from fleet.plan import RunPlan
from fleet.plan.processes import ACCELERATE_CONFIG, STORE_SHIM


def node_files(plan: RunPlan, node: str) -> dict[str, str]:
    """Return text by path below the project folder: the Accelerate config, and what its launcher needs."""
    files = {ACCELERATE_CONFIG: accelerate_config(plan, node)}
    if any(STORE_SHIM in process.argv for process in plan.part(node).processes):
        shim = importlib.resources.files("fleet.plan").joinpath("store_without_libuv.py")
        files[STORE_SHIM] = shim.read_text(encoding="utf-8")
    return files
