"""Options of the commands that start a run."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence

from msgspec.structs import replace

from agent.wire.message import message
from fleet.inventory import Inventory, Node
from fleet.inventory.secrets import variable_fault, variable_name_fault
from fleet.inventory.values import reference_problem
from fleet.secrets import is_secret_name
from tui.cli.exits import UsageError
from tui.cli.run_options import run_inventory_of

#: Seconds.
_START_TIMEOUT = 600.0


def add_launch_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that only a launch has."""
    group = parser.add_argument_group(message("help.group.launch", "launch"))
    group.add_argument(
        "--detach",
        action="store_true",
        help=message("help.detach", "return once all ranks have started"),
    )
    group.add_argument(
        "--env",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help=message("help.env", "environment variable of every rank; see --secret for passwords and keys"),
    )
    group.add_argument(
        "--secret",
        action="append",
        default=[],
        metavar="NAME",
        help=message(
            "help.secret",
            "environment variable of every rank whose value is in no file: dtui takes it from the system "
            "keyring, or asks for it",
        ),
    )
    group.add_argument(
        "--force",
        action="store_true",
        help=message(
            "help.force",
            "start even if another run is active on a node, and, without a deploy, if a node's files are not "
            "the master's",
        ),
    )
    group.add_argument(
        "--max-restarts",
        type=int,
        default=0,
        metavar="N",
        help=message("help.max-restarts", "restart a failed run from its checkpoint, at most N times"),
    )
    group.add_argument(
        "--start-timeout",
        type=float,
        default=_START_TIMEOUT,
        metavar="SECONDS",
        help=message(
            "help.start-timeout",
            "end a run whose ranks have not all joined by then (default: {seconds:.0f})",
            seconds=_START_TIMEOUT,
        ),
    )
    group.add_argument(
        "--stall-timeout",
        type=float,
        default=None,
        metavar="SECONDS",
        help=message(
            "help.stall-timeout",
            "end a run that makes no progress for so long (default: only report it)",
        ),
    )


def launch_inventory_of(args: argparse.Namespace, command: str) -> Inventory:
    """Return the inventory with the options for the run and its variables."""
    inventory = run_inventory_of(args, command)
    typed = _variables(args.env)
    env = tuple((dict(inventory.run.env) | typed).items())
    run = replace(inventory.run, env=env, secrets=_with_secrets(inventory.run.secrets, args.secret))
    # What was typed stands over the inventory, whose nodes may have values of their own.
    master = _without_variables(inventory.master, typed)
    workers = tuple(_without_variables(node, typed) for node in inventory.workers)
    return replace(inventory, run=run, master=master, workers=workers)


def _with_secrets(named: Sequence[str], further: Sequence[str]) -> tuple[str, ...]:
    """Return all names, each once; raises UsageError, which never quotes what may be a value."""
    for name in further:
        if "=" in name:
            raise UsageError(
                message(
                    "cli.secret-value",
                    "--secret takes a name without a value, since other users of this machine can read "
                    "command lines",
                ),
                message(
                    "cli.secret-value.remedy",
                    "give the name only: dtui takes the value from the system keyring, or asks for it",
                ),
            )
        if problem := variable_fault(name):
            raise UsageError(
                message("cli.secret-name", "--secret: {why}", why=problem),
                message("cli.secret-name.remedy", "give a name such as WANDB_API_KEY"),
            )
    return tuple(dict.fromkeys((*named, *further)))


def _without_variables(node: Node, names: Mapping[str, str]) -> Node:
    return replace(node, env=tuple((name, value) for name, value in node.env if name not in names))


def _variables(words: Sequence[str]) -> dict[str, str]:
    """Return the variables of ``NAME=VALUE`` words; raises UsageError, which never quotes a value."""
    variables: dict[str, str] = {}
    for word in words:
        name, equals, value = word.partition("=")
        if not equals:
            raise UsageError(
                message("cli.env-form", "--env takes NAME=VALUE"),
                message("cli.env-form.remedy", "write for example --env NCCL_DEBUG=INFO"),
            )
        if problem := variable_name_fault(name):
            raise UsageError(message("cli.env-name", "--env: {why}", why=problem))
        if is_secret_name(name):
            raise UsageError(
                message(
                    "cli.env-secret",
                    "--env {name}: other users of this machine can read command lines",
                    name=name,
                ),
                message("cli.env-secret.remedy", "use --secret {name}, which asks for the value", name=name),
            )
        if fault := reference_problem(value):
            raise UsageError(
                message("cli.env-reference", "--env {name}: {why}", name=name, why=fault[0]), fault[1]
            )
        variables[name] = value
    return variables
