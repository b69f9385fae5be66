"""The files of a run that differ between nodes."""

from __future__ import annotations

import importlib.resources

from fleet.accelerate_config import accelerate_config
from fleet.plan import RunPlan
from fleet.plan.processes import STORE_SHIM, accelerate_config_file


def node_files(plan: RunPlan, node: str) -> dict[str, str]:
    """Return text by path below the project folder: the Accelerate config, and what its launcher needs."""
    files = {accelerate_config_file(node): accelerate_config(plan, node)}
    if plan.part(node).windows:
        shim = importlib.resources.files("fleet.plan").joinpath("store_without_libuv.py")
        files[STORE_SHIM] = shim.read_text(encoding="utf-8")
    return files
