"""Options that several commands share, and the inventory that they describe."""

from __future__ import annotations

import argparse
import dataclasses
import sys
from pathlib import Path

from fleet.inventory import (
    Inventory,
    Node,
    from_addresses,
    load_inventory,
    load_workers_json,
    save_inventory,
    with_master_address,
)
from fleet.nodeset import NodeSetError, fold
from tui.cli.exits import UsageError
from tui.i18n import LANGUAGES, Texts

DEFAULT_INVENTORY = Path("configs/nodes.yaml")
#: What `--workers` named last, so that `dtui status` and `dtui stop` find the same nodes.
LAST_INVENTORY = Path(".dtui/nodes.yaml")


def add_inventory_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that say which nodes there are."""
    group = parser.add_argument_group("nodes")
    group.add_argument(
        "--inventory", type=Path, metavar="FILE", help=f"inventory file (default: {DEFAULT_INVENTORY})"
    )
    group.add_argument("--workers", metavar="IP,IP", help="workers by address, instead of an inventory file")
    group.add_argument(
        "--workers-file", type=Path, metavar="FILE", help="workers from a workers.json, as the guide has it"
    )
    group.add_argument("--on", metavar="NODES", help="only these nodes: names, gpu[1-4], @tag")
    group.add_argument("--project", type=Path, metavar="DIR", help="project folder on this machine")


def add_run_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that say what is deployed where and what a run starts."""
    group = parser.add_argument_group("run")
    group.add_argument("--project-path", metavar="DIR", help="project folder on the workers")
    group.add_argument("--environment", choices=("uv", "existing"), help="how the nodes get their packages")
    group.add_argument("--config", metavar="FILE", help="configuration handed to the program as --config")
    group.add_argument("--module", help="module that each rank runs (default: trainer)")
    group.add_argument("--script", help="script that each rank runs, instead of a module")
    group.add_argument(
        "--port", type=_port, help="port of the rendezvous on the master, 1024 to 65535 (default: 29500)"
    )
    group.add_argument("--method", choices=("ranks", "accelerate"), help="how ranks are started")
    group.add_argument("--cpu", action="store_true", help="train on the CPU even where there are GPUs")
    group.add_argument("program_args", nargs="*", metavar="ARG", help="arguments of the program, after --")


def add_deploy_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that only a deploy has."""
    group = parser.add_argument_group("deploy")
    group.add_argument(
        "--dry-run", action="store_true", help="show what would be sent and started, change nothing"
    )
    group.add_argument(
        "--extra",
        action="append",
        metavar="NAME",
        help="optional dependencies for `uv sync` (default: train)",
    )


def add_launch_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that only a launch has."""
    group = parser.add_argument_group("launch")
    group.add_argument("--detach", action="store_true", help="return once all ranks have started")
    group.add_argument("--force", action="store_true", help="start although another run is under way there")
    group.add_argument(
        "--max-restarts", type=int, default=0, metavar="N", help="restart a failed run from its checkpoint"
    )
    group.add_argument(
        "--start-timeout",
        type=float,
        default=600.0,
        metavar="SECONDS",
        help="end a run whose ranks have not all joined by then (default: 600)",
    )


def add_output_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that say how events are printed."""
    parser.add_argument("--json", action="store_true", help="print events as JSON lines on stdout")
    add_language_option(parser)


def add_language_option(parser: argparse.ArgumentParser) -> None:
    """Add ``--lang``; one that stands before the command holds, too."""
    parser.add_argument(
        "--lang", choices=LANGUAGES, default=argparse.SUPPRESS, help="language of what is told (not of JSON)"
    )


def texts_of(args: argparse.Namespace) -> Texts:
    """Return the texts in the language that the options ask for."""
    return Texts(getattr(args, "lang", None) or "en")


def inventory_of(args: argparse.Namespace) -> Inventory:
    """Return the inventory that the options describe; raises InventoryError and UsageError."""
    inventory = _base_inventory(args)
    run = inventory.run
    if getattr(args, "module", None):
        run = dataclasses.replace(run, module=args.module, script=None)
    if getattr(args, "script", None):
        run = dataclasses.replace(run, module=None, script=args.script)
    for option, field in (("config", "config"), ("port", "port"), ("method", "method")):
        if getattr(args, option, None) is not None:
            run = dataclasses.replace(run, **{field: getattr(args, option)})
    if getattr(args, "program_args", None):
        run = dataclasses.replace(run, args=tuple(args.program_args))
    workers = inventory.workers
    if getattr(args, "project_path", None):
        workers = tuple(dataclasses.replace(node, project=args.project_path) for node in workers)
    master = inventory.master
    if getattr(args, "environment", None):
        workers = tuple(_with_environment(node, args.environment) for node in workers)
        master = _with_environment(master, args.environment)
    # Every probe asks which adapter leads to the master, so its address is found before the first one.
    return with_master_address(dataclasses.replace(inventory, run=run, workers=workers, master=master))


def selected(inventory: Inventory, args: argparse.Namespace) -> tuple[Node, ...]:
    """Return the nodes that ``--on`` names, all without it; raises UsageError."""
    if not args.on:
        return inventory.nodes
    try:
        nodes = inventory.select(args.on)
    except NodeSetError as error:
        known = f"the inventory has {fold([node.name for node in inventory.nodes])}"
        raise UsageError(f"--on {args.on}: {error}; {known}") from error
    if not nodes:
        raise UsageError(f"--on {args.on}: no node of the inventory matches")
    return nodes


def home_of(inventory: Inventory) -> Path:
    """Return the folder of what dtui keeps for the project."""
    return inventory.project / ".dtui"


def _port(word: str) -> int:
    if not word.isdecimal() or not 1024 <= int(word) <= 65535:
        raise argparse.ArgumentTypeError(f"{word!r} is not a port from 1024 to 65535")
    return int(word)


def _with_environment(node: Node, kind: str) -> Node:
    interpreter = node.interpreter
    if kind == "existing" and interpreter is None:
        interpreter = sys.executable if node.transport == "local" else (node.python or "python")
    if kind == "uv":
        interpreter = None
    return dataclasses.replace(node, environment=kind, interpreter=interpreter)  # type: ignore[arg-type]


def _base_inventory(args: argparse.Namespace) -> Inventory:
    project = (args.project or Path()).resolve()
    path = args.inventory or project / DEFAULT_INVENTORY
    if args.workers is not None:
        return _remembered(_in_place(from_addresses(args.workers.split(","), project=project), path))
    if args.workers_file is not None:
        return _remembered(_in_place(load_workers_json(args.workers_file, project=project), path))
    if args.inventory is None and not path.exists():
        last = project / LAST_INVENTORY
        if not last.exists():
            return _remembered(from_addresses(_ask_for_addresses(path, texts_of(args)), project=project))
        path = last
    inventory = load_inventory(path)
    return dataclasses.replace(inventory, project=project) if args.project else inventory


def _in_place(named: Inventory, path: Path) -> Inventory:
    """Return the inventory file's run and master with the workers that the command line names."""
    return load_inventory(path).with_workers(named.workers) if path.exists() else named


def _remembered(inventory: Inventory) -> Inventory:
    save_inventory(inventory, inventory.project / LAST_INVENTORY)
    return inventory


def _ask_for_addresses(path: Path, texts: Texts) -> list[str]:
    """Ask for the workers as the guide's script did, when there is neither a file nor an option."""
    if not sys.stdin.isatty():
        raise UsageError(
            f"there is no inventory at {path}. Name the workers (--workers 192.168.1.101,192.168.1.102), "
            "a file (--inventory, --workers-file), write one (dtui init), or try `dtui demo`"
        )
    question = texts.said("Addresses of the workers, separated by commas or spaces")
    print(f"{question}: ", end="", file=sys.stderr, flush=True)
    addresses = sys.stdin.readline().replace(",", " ").split()
    if not addresses:
        raise UsageError("no worker was named")
    return addresses
