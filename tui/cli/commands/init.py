"""``dtui init``: writes the first files of a project, with few questions."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec.structs import replace

from agent.wire.message import Message, message
from fleet.inventory import RunSettings
from transports.registry import DEFAULT_TRANSPORT, KINDS
from tui.cli.basic_options import add_language_option, add_project_option, project_of, texts_of
from tui.cli.exits import DONE, UsageError
from tui.cli.output import err, is_terminal, out
from tui.cli.run_options import add_program_options
from tui.cli.subparsers import Subparsers

if TYPE_CHECKING:
    from fleet.init.detect import Detected


def add(subparsers: Subparsers) -> None:
    """Declare the command."""
    parser = subparsers.add_parser(
        "init",
        help=message("help.init", "write configs/nodes.yaml and configs/train_config.yaml"),
        description=message(
            "help.init.text",
            "offers the hosts of ~/.ssh/config and known_hosts as workers; it scans no network. "
            "With --workers, --workers-file, --from or --from-ssh it asks nothing",
        ),
    )
    add_project_option(parser)
    parser.add_argument("--workers", metavar="IP,IP", help=message("help.init.workers", "workers by address"))
    parser.add_argument(
        "--workers-file",
        type=Path,
        metavar="FILE",
        help=message("help.init.workers-file", "workers from a workers.json"),
    )
    parser.add_argument(
        "--from-ssh",
        metavar="NAMES",
        help=message("help.init.from-ssh", "workers from the OpenSSH files: names, or `all`"),
    )
    parser.add_argument(
        "--from",
        dest="from_file",
        type=Path,
        metavar="FILE",
        help=message(
            "help.init.from",
            "workers from an Ansible inventory, a hostfile, a Slurm node list, an Accelerate configuration, "
            "an ssh_config or a workers.json",
        ),
    )
    parser.add_argument(
        "--user", metavar="NAME", help=message("help.init.user", "default login user on the workers")
    )
    parser.add_argument(
        "--transport",
        choices=[kind.name for kind in KINDS.values() if not kind.is_local],
        default=DEFAULT_TRANSPORT,
        help=message("help.init.transport", "transport to the workers (default: auto)"),
    )
    add_program_options(parser.add_mutually_exclusive_group())
    parser.add_argument(
        "--force", action="store_true", help=message("help.init.force", "replace an existing inventory")
    )
    add_language_option(parser)
    parser.set_defaults(handler=run)


def run(args: argparse.Namespace) -> int:
    """Write the files; their paths go to stdout, what to do next to stderr."""
    from fleet.init import begin, detect, find_candidates
    from fleet.init.importers import import_file
    from fleet.init.project import ACCELERATE, INVENTORY
    from tui.cli.first_questions import InitPrompts, as_worker, named_workers

    project = project_of(args)
    given = (args.workers, args.workers_file, args.from_ssh, args.from_file)
    named = any(one is not None for one in given)
    if not named and not is_terminal("stdin"):
        raise UsageError(
            message("cli-init.no-terminal", "there is no terminal to ask on"),
            message(
                "cli-init.no-terminal.remedy",
                "name the workers: --workers, --workers-file, --from or --from-ssh",
            ),
        )
    texts = texts_of(args)
    prompts = InitPrompts(texts)
    overwrite = args.force
    if (project / INVENTORY).exists() and not overwrite:
        existing = str(project / INVENTORY)
        if named or not prompts.yes(
            message("cli-init.replace", "{path} exists already. Replace it?", path=existing)
        ):
            raise UsageError(
                message("cli-init.exists", "{path} exists already", path=existing),
                message("cli-init.exists.remedy", "add --force to replace it"),
            )
        overwrite = True
    imported = import_file(args.from_file) if args.from_file is not None else None
    for skipped in imported.skipped if imported is not None else ():
        line = message("cli-init.skipped", "{where}: {reason}", where=skipped.where, reason=skipped.reason)
        err(f"! {texts.translate(line)}")
    candidates = find_candidates(Path.home() / ".ssh")
    workers = named_workers(args, candidates, project) if named else prompts.workers(candidates, project)
    if imported is not None:
        workers = (*workers, *(as_worker(host, project) for host in imported.hosts))
    workers = tuple(
        replace(worker, transport=args.transport) if worker.transport == DEFAULT_TRANSPORT else worker
        for worker in workers
    )
    without_user = [worker for worker in workers if worker.user is None and "user" in worker.kind.uses]
    user = args.user
    if user is None and not named and without_user:
        user = prompts.text(
            message("cli-init.ask-user", "login user on the workers"),
            message("cli-init.same-user", "the same name as here"),
        )
    workers = tuple(replace(worker, user=user) if worker in without_user else worker for worker in workers)
    script, module = args.script, args.module
    found = detect(project)
    if script is None and module is None:
        if found.programs:
            script, module = found.programs[0].script, found.programs[0].module
        elif not named:
            answer = prompts.text(
                message("cli-init.ask-script", "script that each rank runs, such as train.py"),
                message("cli-init.module-trainer", "the module trainer"),
            )
            script = answer if answer != "trainer" else None
    settings = RunSettings(module=None, script=script) if script else RunSettings(module=module or "trainer")
    if imported is not None and imported.port is not None:
        settings = replace(settings, port=imported.port)
    if imported is not None and imported.accelerate:
        settings = replace(settings, accelerate=ACCELERATE, method="accelerate")
    elif found.accelerate is not None and not settings.is_trainer:
        settings = replace(settings, accelerate=found.accelerate, method="accelerate")
    beginning = begin(
        project,
        workers,
        settings,
        master_address=imported.master_address if imported is not None else "",
        accelerate=args.from_file if imported is not None and imported.accelerate else None,
        found=found,
        replace=overwrite,
    )
    for path in beginning.written:
        out(str(path))
    for line in _found_lines(settings, found):
        err(texts.sentence(line))
    for path in beginning.kept:
        err(
            texts.sentence(
                message("cli-init.kept", "{path} exists already and is not changed", path=str(path))
            )
        )
    if settings.is_trainer and all(program.module != "trainer" for program in found.programs):
        lacking = message(
            "cli-init.no-trainer",
            "this project has no folder `trainer`: name your program in configs/nodes.yaml, as "
            "`run: {{script: train.py}}`",
        )
        err(texts.sentence(lacking))
    if imported is not None and imported.machines is not None and imported.machines > len(workers) + 1:
        missing = message(
            "cli-init.machines",
            "the {format} is for {count} machines: add the others with --workers, or in configs/nodes.yaml",
            format=imported.format,
            count=imported.machines,
        )
        err(texts.sentence(missing))
    following = message(
        "cli-init.next",
        "{count:n worker}; next, run `dtui preflight`, then `dtui up`",
        count=len(workers),
    )
    err(texts.sentence(following))
    return DONE


def _found_lines(settings: RunSettings, found: Detected) -> list[Message]:
    """Return what was taken over from the project, for the user to check."""
    program = settings.script or settings.module or ""
    lines = [message("cli-init.program", "the program is {program}", program=program)]
    others = [str(one) for one in found.programs if program not in (one.script, one.module)]
    if others:
        lines.append(
            message("cli-init.other-programs", "other programs in this project: {programs}", programs=others)
        )
    if settings.is_trainer:
        return lines
    if found.accelerate is not None and settings.accelerate == found.accelerate:
        lines.append(
            message(
                "cli-init.accelerate",
                "the Accelerate configuration is {file}; its values are merged into that of the run",
                file=found.accelerate,
            )
        )
    if found.data is not None:
        lines.append(
            message(
                "cli-init.data",
                "the data folder is {folder}; change `data` in nodes.yaml if the program reads another",
                folder=found.data,
            )
        )
    return lines
