"""Options that define what is deployed and which program a run starts."""

from __future__ import annotations

import argparse
import sys

from msgspec.structs import replace

from agent.wire.message import message
from fleet.inventory import Inventory, Node
from fleet.inventory.model import DEFAULT_PORT
from fleet.inventory.values import project_problem
from tui.cli.exits import UsageError
from tui.cli.options import inventory_of
from tui.cli.program import folder_in_project, module_fault, notebook_fault, script_in_project

_FIRST_PORT, _LAST_PORT = 1024, 65535


def add_run_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that define what is deployed and what a run starts."""
    group = parser.add_argument_group(message("help.group.run", "run"))
    group.add_argument(
        "--project-path",
        metavar="DIR",
        help=message("help.project-path", "project folder on the workers"),
    )
    group.add_argument(
        "--environment",
        choices=("uv", "existing"),
        help=message("help.environment", "source of the nodes' Python packages"),
    )
    group.add_argument(
        "--config",
        metavar="FILE",
        help=message("help.config", "configuration passed to the program as --config"),
    )
    add_program_options(group)
    group.add_argument(
        "--port",
        type=_port,
        help=message(
            "help.port",
            "rendezvous port on the master, {first} to {last} (default: {port})",
            first=_FIRST_PORT,
            last=_LAST_PORT,
            port=DEFAULT_PORT,
        ),
    )
    group.add_argument(
        "--method", choices=("ranks", "accelerate"), help=message("help.method", "how ranks are started")
    )
    group.add_argument(
        "--workdir",
        metavar="DIR",
        help=message("help.workdir", "working folder of the program, below the project folder"),
    )
    group.add_argument(
        "--setup",
        action="store_true",
        help=message("help.setup", "run the setup commands again, even if nothing has changed"),
    )
    group.add_argument(
        "--cpu", action="store_true", help=message("help.cpu", "train on the CPU, even on nodes with GPUs")
    )
    group.add_argument(
        "program_args",
        nargs="*",
        metavar="ARG",
        help=message("help.program-args", "arguments of the program, after --"),
    )


def add_program_options(group: argparse._ActionsContainer) -> None:
    """Add ``--module`` and ``--script``."""
    group.add_argument(
        "--module", help=message("help.module", "module that each rank runs (default: trainer)")
    )
    group.add_argument(
        "--script", help=message("help.script", "script that each rank runs, instead of a module")
    )


def run_inventory_of(args: argparse.Namespace, command: str) -> Inventory:
    """Return the inventory with the options for the run.

    ``command`` is named in remedies. Raises InventoryError and UsageError.
    """
    inventory = inventory_of(args)
    run = inventory.run
    if args.module:
        if fault := module_fault(args.module, command):
            raise fault
        run = replace(run, module=args.module, script=None)
    if args.script:
        if fault := notebook_fault(args.script, command):
            raise fault
        run = replace(run, module=None, script=script_in_project(args.script, inventory))
    elif run.script and (fault := notebook_fault(run.script, command)):
        raise fault
    if args.module or args.script or args.program_args:
        # The inventory's arguments are those of the inventory's program.
        run = replace(run, args=tuple(args.program_args))
    if args.workdir:
        run = replace(run, workdir=folder_in_project(args.workdir, inventory))
    if args.config is not None:
        run = replace(run, config=args.config)
    if args.port is not None:
        run = replace(run, port=args.port)
    if args.method is not None:
        run = replace(run, method=args.method)
    master, workers = inventory.master, inventory.workers
    if args.project_path:
        if problem := project_problem(args.project_path):
            raise UsageError(
                message("cli.bad-project-path", "--project-path: {problem}", problem=problem[0]), problem[1]
            )
        workers = tuple(replace(node, project=args.project_path) for node in workers)
    if args.environment:
        workers = tuple(_with_environment(node, args.environment) for node in workers)
        master = _with_environment(master, args.environment)
    return replace(inventory, run=run, master=master, workers=workers)


def _port(word: str) -> int:
    if not word.isdecimal() or not _FIRST_PORT <= int(word) <= _LAST_PORT:
        raise UsageError(
            message(
                "cli.bad-port",
                "--port: {word!r} is not a port from {first} to {last}",
                word=word,
                first=_FIRST_PORT,
                last=_LAST_PORT,
            )
        )
    return int(word)


def _with_environment(node: Node, kind: str) -> Node:
    interpreter = node.interpreter
    if kind == "existing" and interpreter is None:
        interpreter = sys.executable if node.kind.is_local else (node.python or "python")
    if kind == "uv":
        interpreter = None
    return replace(node, environment=kind, interpreter=interpreter)
