"""Options that several commands share, and the inventory that they describe."""

from __future__ import annotations

import argparse
from pathlib import Path

from msgspec.structs import replace

from agent.wire.message import message
from fleet.inventory import (
    Inventory,
    InventoryError,
    Node,
    from_addresses,
    load_inventory,
    load_workers_json,
    save_inventory,
    with_master_address,
)
from fleet.nodeset import NodeSetError, fold
from tui.cli.basic_options import DEFAULT_INVENTORY, add_project_option, project_of, texts_of
from tui.cli.exits import UsageError
from tui.cli.output import ask, is_terminal
from tui.i18n import Texts

#: What `--workers` named last, so that `dtui status` and `dtui stop` find the same nodes.
LAST_INVENTORY = Path(".dtui/nodes.yaml")


def add_inventory_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that select the nodes."""
    group = parser.add_argument_group(message("help.group.nodes", "nodes"))
    group.add_argument(
        "--inventory",
        type=Path,
        metavar="FILE",
        help=message("help.inventory", "inventory file (default: {file})", file=str(DEFAULT_INVENTORY)),
    )
    group.add_argument(
        "--workers",
        metavar="IP,IP",
        help=message("help.workers", "workers by address or user@address, instead of an inventory file"),
    )
    group.add_argument(
        "--user",
        metavar="NAME",
        help=message("help.user", "user name on workers without their own"),
    )
    group.add_argument(
        "--workers-file",
        type=Path,
        metavar="FILE",
        help=message("help.workers-file", "workers from a workers.json, in the legacy format"),
    )
    group.add_argument(
        "--on", metavar="NODES", help=message("help.on", "only these nodes: names, gpu[1-4], @tag")
    )
    add_project_option(group)


def add_run_argument(parser: argparse.ArgumentParser) -> None:
    """Add the id of a run as an argument that may be left out."""
    parser.add_argument("run", nargs="?", help=message("help.run-id", "id of the run (default: the newest)"))


def inventory_of(args: argparse.Namespace) -> Inventory:
    """Return the inventory that the options select; raises InventoryError and UsageError."""
    inventory = _base_inventory(args)
    if args.user:
        workers = tuple(
            replace(node, user=args.user) if node.user is None and "user" in node.kind.uses else node
            for node in inventory.workers
        )
        inventory = replace(inventory, workers=workers)
    # Every probe asks which adapter leads to the master, so its address is found before the first one.
    return with_master_address(inventory)


def selected(inventory: Inventory, args: argparse.Namespace) -> tuple[Node, ...]:
    """Return the nodes that ``--on`` names, all without it; raises UsageError."""
    if not args.on:
        return inventory.nodes
    try:
        nodes = inventory.select(args.on)
    except NodeSetError as error:
        raise UsageError(
            message(
                "cli.bad-node-set",
                "--on {given}: {why}; the inventory has {known}",
                given=args.on,
                why=error.args[0],
                known=fold([node.name for node in inventory.nodes]),
            )
        ) from error
    if not nodes:
        raise UsageError(
            message("cli.no-node-matches", "--on {given}: no node of the inventory matches", given=args.on)
        )
    return nodes


def home_of(inventory: Inventory) -> Path:
    """Return the folder of what dtui keeps for the project."""
    return inventory.project / ".dtui"


def _base_inventory(args: argparse.Namespace) -> Inventory:
    project = project_of(args)
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
    inventory = _loaded(path)
    return replace(inventory, project=project) if args.project else inventory


def _loaded(path: Path) -> Inventory:
    """Return the inventory of a file; raises InventoryError, and UsageError for a file of another tool."""
    try:
        return load_inventory(path)
    except InventoryError:
        from fleet.init.importers import recognised

        if (found := recognised(path)) is None:
            raise
        raise UsageError(
            message(
                "cli.other-inventory", "{path} is in another format: {format}", path=str(path), format=found
            ),
            message("cli.other-inventory.remedy", "import it with `dtui init --from {path}`", path=str(path)),
        ) from None


def _in_place(named: Inventory, path: Path) -> Inventory:
    """Return the inventory file's run and master with the workers that the command line names."""
    return load_inventory(path).with_workers(named.workers) if path.exists() else named


def _remembered(inventory: Inventory) -> Inventory:
    save_inventory(inventory, inventory.project / LAST_INVENTORY)
    return inventory


def _ask_for_addresses(path: Path, texts: Texts) -> list[str]:
    """Ask for the workers when there is neither a file nor an option."""
    if not is_terminal("stdin"):
        raise UsageError(
            message("cli.no-inventory", "there is no inventory at {path}", path=str(path)),
            message(
                "cli.no-inventory.remedy",
                "name the workers (--workers 192.168.1.101,192.168.1.102) or a file (--inventory, "
                "--workers-file), write an inventory with `dtui init`, or try `dtui demo`",
            ),
        )
    question = message("cli.ask-workers", "addresses of the workers, separated by commas or spaces")
    addresses = ask(f"{texts.capitalized(question)}: ").replace(",", " ").split()
    if not addresses:
        raise UsageError(message("cli.no-worker", "no worker was named"))
    return addresses
