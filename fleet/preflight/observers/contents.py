"""Observations ``code``, ``data``, ``config`` and ``trial``: what was deployed, and whether it works."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import yaml

from agent.tree.format import Unpacker, pack
from fleet.deploy.scan import Scan
from fleet.errors import FleetError
from fleet.fleet import Fleet
from fleet.inventory import Inventory, Node
from fleet.plan import RunPlan

DATA = "data"
_CODE = (
    ".py",
    ".yaml",
    ".yml",
    ".toml",
    ".json",
    ".lock",
    ".cfg",
    ".ini",
    ".txt",
    ".sh",
    ".ps1",
    ".cu",
    ".cpp",
)
_MOST_FILES = 5000


async def observe_code(fleet: Fleet, node: Node, paths: list[str]) -> dict[str, str]:
    """Return path -> digest (or ``missing``) for files below the project; raises FleetError."""
    link = await fleet.link(node)
    unpacker = Unpacker()
    async with link.request("digest", project=node.project) as request:
        for piece in pack(paths):
            await request.send(None, piece)
        await request.end()
        async for item in request:
            unpacker.feed(item.payload)
    found: dict[str, str] = unpacker.value()
    return found


def code_paths(scan: Scan, data: str) -> list[str]:
    """Return which of the master's files count as code: of the usual kinds, outside of the data folder."""
    chosen = [
        file.path
        for file in scan.files
        if file.path.endswith(_CODE) and not file.path.startswith(f"{data}/") and file.size < 4 << 20
    ]
    return chosen[:_MOST_FILES]


async def observe_data(fleet: Fleet, node: Node, folder: str, budget: int) -> dict[str, Any]:
    """Return counts and digests of the node's data folder, see agent.checks.contents; raises FleetError."""
    link = await fleet.link(node)
    found: dict[str, Any] = await link.call("digest", project=node.project, folder=folder, budget=budget)
    return {**found, "folder": folder}


async def observe_config(fleet: Fleet) -> dict[str, Any]:
    """Return ``path``, ``exists``, ``faults``, ``values``, ``by_program`` of the configuration."""
    inventory = fleet.inventory
    handed = inventory.run.config_handed
    found: dict[str, Any] = {"path": handed, "exists": False, "faults": [], "values": {}, "by_program": False}
    if handed is None:
        return found
    found["exists"] = await asyncio.to_thread((inventory.project / handed).exists)
    values, fault = await asyncio.to_thread(read_config, inventory.project / handed)
    found["values"] = values
    if fault:
        found["faults"] = [fault]
        return found
    try:
        link = await fleet.link(inventory.master)
        said = await link.call("configcheck", project=inventory.master.project, config=handed)
    except FleetError:
        return found
    if said["by_program"]:
        found.update(by_program=True, faults=said["faults"], values=said["values"] or values)
    return found


def read_config(path: Path) -> tuple[dict[str, Any], str]:
    """Return the file's values, and what is wrong with it as YAML (empty: nothing)."""
    try:
        values = yaml.safe_load(path.read_text("utf-8"))
    except FileNotFoundError:
        return {}, f"there is no {path.name}"
    except (OSError, UnicodeDecodeError) as error:
        return {}, f"{path.name} can't be read: {error}"
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"{path.name}:{mark.line + 1}" if mark else path.name
        return {}, f"{where}: {getattr(error, 'problem', None) or error}"
    return (values, "") if isinstance(values, dict) else ({}, f"{path.name} is no block of keys")


def data_folder(inventory: Inventory) -> str:
    """Return where the configuration says that the data are, ``data`` where it does not."""
    handed = inventory.run.config_handed
    values = read_config(inventory.project / handed)[0] if handed else {}
    section = values.get("data")
    root = section.get("root") if isinstance(section, dict) else None
    return str(root) if root else DATA


async def observe_trial(fleet: Fleet, node: Node, plan: RunPlan | None) -> dict[str, Any]:
    """Return the agent's ``trial`` with the environment of the node's first rank; raises FleetError."""
    if plan is None:
        return {"skipped": "the run can't be laid out", "backend": None}
    part = plan.part(node.name)
    if not part.gpus:
        return {"skipped": "trains on the CPU", "backend": None}
    link = await fleet.link(node)
    env = {
        name: value
        for name, value in part.processes[0].env.items()
        if name not in ("RANK", "LOCAL_RANK", "WORLD_SIZE", "LOCAL_WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")
    }
    found: dict[str, Any] = await link.call(
        "trial", project=node.project, backend=plan.backend, gpu=True, env=env
    )
    return found
