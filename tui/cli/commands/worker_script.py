"""``dtui worker-script``: one PowerShell file that prepares a Windows worker."""

from __future__ import annotations

import argparse
from pathlib import Path

from agent.quoting import address
from agent.wire.message import Message, message
from tui.cli.basic_options import add_language_option, texts_of
from tui.cli.exits import DONE, UsageError
from tui.cli.output import err, out
from tui.cli.subparsers import Subparsers

_FILE = Path("dtui_worker.ps1")
#: How the file is started: PowerShell and cmd.exe read the double quotes alike.
_COMMAND = 'powershell -NoProfile -ExecutionPolicy Bypass -File "{name}"'


def add(subparsers: Subparsers) -> None:
    """Declare the command."""
    parser = subparsers.add_parser(
        "worker-script",
        help=message("help.worker-script", "write the setup of a Windows worker as one PowerShell file"),
        description=message(
            "help.worker-script.text",
            "writes worker_setup.ps1 with all its parts, the cluster's addresses and the key into one file, "
            "so that a worker needs no clone of dtui. The same file is for all workers: run it on each one "
            "as administrator",
        ),
    )
    parser.add_argument(
        "--master",
        required=True,
        metavar="IP",
        help=message("help.worker-script.master", "address of this machine, as the workers see it"),
    )
    parser.add_argument(
        "--workers",
        required=True,
        metavar="IP,IP",
        help=message("help.worker-script.workers", "addresses of all workers, also as 192.168.1.[101-104]"),
    )
    parser.add_argument(
        "--public-key",
        metavar="FILE",
        help=message(
            "help.worker-script.public-key",
            "this machine's public SSH key: the .pub file, or its line (default: log in with a password)",
        ),
    )
    parser.add_argument(
        "--output",
        type=Path,
        metavar="FILE",
        default=_FILE,
        help=message("help.worker-script.output", "the file to write (default: {file})", file=str(_FILE)),
    )
    parser.add_argument(
        "--force",
        action="store_true",
        help=message("help.worker-script.force", "replace a file that dtui has not written"),
    )
    add_language_option(parser)
    parser.set_defaults(handler=run)


def run(args: argparse.Namespace) -> int:
    """Write the file; its path goes to stdout, what to do next to stderr."""
    from fleet.worker_script import worker_script

    texts = texts_of(args)
    master, workers, key = _checked(args)
    output: Path = args.output
    name = output.name if output.name.isascii() and output.name.isprintable() else _FILE.name
    _refuse_another_file(output, force=args.force)
    output.write_bytes(worker_script(master, workers, key, name).encode("ascii"))
    out(str(output))
    command = _COMMAND.format(name=output.name)
    following = message(
        "cli-worker-script.next",
        "copy {file} to the workers, and run it on each of them as administrator: {command}",
        file=str(output),
        command=Message(command),
    )
    err(texts.sentence(following))
    return DONE


def _checked(args: argparse.Namespace) -> tuple[str, tuple[str, ...], str]:
    """Return the addresses and the key; raises InventoryError with all faults of the options."""
    from fleet.inventory import Fault, InventoryError, from_addresses
    from fleet.inventory.node_names import other_machine
    from fleet.worker_script import KeyFault, fault, public_key

    faults: list[Fault] = []
    workers: list[str] = []
    try:
        found = from_addresses(args.workers.split(","), project=Path())
        workers = [worker.address for worker in found.workers]
    except InventoryError as error:
        faults += error.faults
    for option, given in (("master", [args.master]), ("workers", workers)):
        faults += [Fault(*problem, key=option) for one in given if (problem := other_machine(one))]
    key = ""
    if args.public_key is not None:
        try:
            key = public_key(args.public_key)
        except KeyFault as error:
            faults.append(fault(error))
    if faults:
        raise InventoryError(faults)
    master = address(args.master)
    spelled = dict.fromkeys(address(worker) for worker in workers)
    return master, tuple(one for one in spelled if one != master), key


def _refuse_another_file(output: Path, *, force: bool) -> None:
    from fleet.worker_script import MARK
    from transports.regular_files import read_start

    if force or not output.exists():
        return
    if read_start(output, len(MARK)) == MARK.encode("ascii"):
        return
    raise UsageError(
        message(
            "cli-worker-script.exists", "{path} exists already, and dtui has not written it", path=str(output)
        ),
        message(
            "cli-worker-script.exists.remedy", "name another file with --output, or add --force to replace it"
        ),
    )
