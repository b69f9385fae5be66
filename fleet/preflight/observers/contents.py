"""Observations ``code``, ``data``, ``config`` and ``trial``: the deployed files, and a trial of them."""

from __future__ import annotations

import asyncio

from agent.tree.format import ListError, Unpacker, pack
from agent.wire.message import EMPTY, Message, message
from agent.wire.operations import CONFIGCHECK, DIGEST, TRIAL
from agent.wire.preflight import ConfigcheckArgs, DigestArgs, TrialArgs
from agent.wire.reasons import reason_of
from fleet.deploy.scan import Scan
from fleet.errors import FleetError, InvalidAnswer
from fleet.fleet import Fleet
from fleet.inventory import Node
from fleet.plan import RunPlan
from fleet.preflight.observations import (
    RUN_NOT_PLANNED,
    Absent,
    ConfigObservation,
    DataObservation,
    TrialObservation,
    absent,
)
from fleet.program_config import read_config

#: Endings of the files that are compared as code.
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
    try:
        async with link.request(DIGEST, DigestArgs(project=node.project)) as request:
            for piece in pack(paths):
                await request.send(None, piece)
            await request.end()
            async for item in request:
                unpacker.feed(item.payload)
        return unpacker.value(dict[str, str])
    except ListError as error:
        raise InvalidAnswer("digest", reason_of(error), node=node.name) from None


def code_paths(scan: Scan) -> list[str]:
    """Return which of the files that a deploy sends count as code: small ones of the usual kinds."""
    chosen = [file.path for file in scan.files if file.path.endswith(_CODE) and file.size < 4 << 20]
    return chosen[:_MOST_FILES]


#: Of a node whose data is not known, or not compared.
NO_DATA: DataObservation = {
    "exists": False,
    "files": 0,
    "bytes": 0,
    "names": "",
    "paths": "",
    "contents": "",
    "read": 0,
    "sampled": {},
    "folders": {},
    "folder": "",
}


async def observe_data(fleet: Fleet, node: Node, folder: str, shown: str, budget: int) -> DataObservation:
    """Return counts and digests of the node's data folder, called ``shown``; raises FleetError."""
    link = await fleet.link(node)
    found = await link.call(DIGEST, DigestArgs(project=node.project, folder=folder, budget=budget))
    if found["folder"] is None:
        raise InvalidAnswer(
            "digest", message("preflight.digest-no-folder", "the folder is missing"), node=node.name
        )
    return {**found["folder"], "folder": shown}


async def observe_config(fleet: Fleet) -> ConfigObservation | Absent:
    """Return the master's configuration file as its program reads it.

    If the program cannot check it, the values are those of the file, unless an internal error prevented that.
    """
    inventory = fleet.inventory
    path = inventory.run.program_config
    found: ConfigObservation = {
        "path": path,
        "exists": False,
        "faults": [],
        "values": {},
        "by_program": False,
    }
    if path is None:
        return found
    found["exists"] = await asyncio.to_thread((inventory.project / path).exists)
    values, fault = await asyncio.to_thread(read_config, inventory.project / path)
    found["values"] = values
    if not inventory.run.is_trainer:
        # Another program's configuration may be in another format, and follows other rules.
        return found
    if fault:
        found["faults"] = [fault]
        return found
    try:
        link = await fleet.link(inventory.master)
        answer = await link.call(
            CONFIGCHECK,
            ConfigcheckArgs(project=inventory.master.project, node=inventory.master.name, config=path),
        )
    except FleetError as error:
        missing = absent(error, Message("`configcheck`"))
        return missing if missing.internal else found
    if answer["by_program"]:
        faults = [Message(line) for line in answer["faults"]]
        found.update({"by_program": True, "faults": faults, "values": answer["values"] or values})
    return found


async def observe_trial(fleet: Fleet, node: Node, plan: RunPlan | None) -> TrialObservation:
    """Return the agent's ``trial`` with the environment of the node's first rank; raises FleetError."""
    if plan is None:
        return {"skipped": RUN_NOT_PLANNED, "found": None}
    part = plan.part(node.name)
    if not part.gpus:
        return {"skipped": message("preflight.trial-cpu", "trains on the CPU"), "found": None}
    link = await fleet.link(node)
    env = {
        name: value
        for name, value in part.processes[0].env.items()
        if name not in ("RANK", "LOCAL_RANK", "WORLD_SIZE", "LOCAL_WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")
    }
    args: TrialArgs = {
        "project": node.project,
        "node": node.name,
        "backend": plan.backend,
        "gpu": True,
        "env": env,
        "variables": part.variables,
    }
    found = await link.call(TRIAL, args)
    return {"skipped": EMPTY, "found": found}
