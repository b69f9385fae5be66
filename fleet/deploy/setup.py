"""The setup stage: have the node run the commands of ``run.setup`` that something has changed for."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncGenerator, Iterable, Sequence
from contextlib import aclosing

from agent.wire.deploy import SetupArgs, SetupResult
from agent.wire.message import Message, message
from agent.wire.operations import SETUP
from fleet.deploy.compare import Target
from fleet.deploy.options import DeployOptions
from fleet.deploy.program_output import run_programs
from fleet.deploy.reporter import Reporter
from fleet.deploy.scan import SourceFile
from fleet.events import Event
from fleet.inventory import Node, RunSettings
from fleet.inventory.model import SetupCommand
from fleet.link.client import AgentClient


async def set_up(
    link: AgentClient,
    node: Node,
    run: RunSettings,
    files: Sequence[SourceFile] | None,
    target: Target,
    options: DeployOptions,
    report: Reporter,
) -> AsyncGenerator[Event, None]:
    """Yield the output of the commands and reports until all have succeeded; raises FleetError.

    ``files`` are those that this deploy has put on the node, None when it has put none: then changes of files
    are left to the next deploy.
    """
    args: SetupArgs = {
        "project": target.project,
        "deploy": target.deploy,
        "node": node.name,
        "workdir": run.workdir,
        "interpreter": options.interpreter or node.interpreter,
        "commands": [
            {"argv": list(command.run), "inputs": None if files is None else digest_of(files, command)}
            for command in run.setup
        ],
        "force": options.setup,
        "wheelhouse": run.wheelhouse,
        "variables": run.variables(node),
        "secrets": {name: secret.reveal() for name, secret in options.secrets.items()},
    }
    async with aclosing(run_programs(link, SETUP, args, node, report, _described)) as events:
        async for event in events:
            yield event


def digest_of(files: Iterable[SourceFile], command: SetupCommand) -> str:
    """Return a digest of a command's inputs by path, size, time and executable bit: all files by default."""
    whole = hashlib.blake2b(digest_size=16)
    for file in files:
        if command.inputs is None or any(_is_below(file.path, path) for path in command.inputs):
            whole.update(repr((file.path, file.size, file.mtime_ns, file.executable)).encode())
    return whole.hexdigest()


def _is_below(path: str, folder: str) -> bool:
    return folder in ("", path) or path.startswith(folder + "/")


def _described(result: SetupResult) -> Message:
    if result["ran"] == 0:
        return message("deploy.setup-unchanged", "unchanged: {total:n command}", total=result["total"])
    if result["ran"] == result["total"]:
        return message("deploy.setup", "{ran:n command}", ran=result["ran"])
    return message(
        "deploy.setup-part", "{ran} of {total:n command}", ran=result["ran"], total=result["total"]
    )
