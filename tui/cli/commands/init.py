"""``dtui init``: the first files of a project, by asking little."""

from __future__ import annotations

import argparse
from pathlib import Path

from tui.cli.subparsers import Subparsers


def add(subparsers: Subparsers) -> None:
    """Declare the command."""
    from tui.cli.options import add_language_option

    parser = subparsers.add_parser(
        "init",
        help="write configs/nodes.yaml and configs/train_config.yaml",
        description="Hosts of ~/.ssh/config and known_hosts are offered as workers; nothing is scanned. "
        "With --workers, --workers-file or --from-ssh nothing is asked.",
    )
    parser.add_argument("--project", type=Path, metavar="DIR", help="project folder on this machine")
    parser.add_argument("--workers", metavar="IP,IP", help="workers by address")
    parser.add_argument("--workers-file", type=Path, metavar="FILE", help="workers from a workers.json")
    parser.add_argument(
        "--from-ssh", metavar="NAMES", help="workers from the OpenSSH files: names, or `all` of them"
    )
    parser.add_argument("--user", metavar="NAME", help="whom to log in as, where nothing else says it")
    parser.add_argument(
        "--transport", choices=("auto", "ssh", "winrm"), default="auto", help="how (default: auto)"
    )
    program = parser.add_mutually_exclusive_group()
    program.add_argument("--script", help="script that each rank runs")
    program.add_argument("--module", help="module that each rank runs (default: trainer)")
    parser.add_argument("--force", action="store_true", help="replace an inventory that is there")
    add_language_option(parser)
    parser.set_defaults(handler=run)


def run(args: argparse.Namespace) -> int:
    """Write the files; their paths go to stdout, what to do next to stderr."""
    import dataclasses
    import sys

    from fleet.init import begin, find_candidates, likely_program
    from fleet.init.project import INVENTORY
    from fleet.inventory import RunSettings
    from tui.cli.exits import DONE, UsageError
    from tui.cli.first_questions import Asker, named_workers
    from tui.cli.options import texts_of

    project = (args.project or Path()).resolve()
    named = args.workers is not None or args.workers_file is not None or args.from_ssh is not None
    if not named and not sys.stdin.isatty():
        raise UsageError("nobody can be asked here: name --workers, --workers-file or --from-ssh")
    texts = texts_of(args)
    asker = Asker(texts)
    replace = args.force
    if (project / INVENTORY).exists() and not replace:
        if named or not asker.yes(f"{project / INVENTORY} is there already. Replace it?"):
            raise UsageError(f"{project / INVENTORY} is there already; --force replaces it")
        replace = True
    candidates = find_candidates(Path.home() / ".ssh")
    workers = named_workers(args, candidates, project) if named else asker.workers(candidates, project)
    user = args.user
    if user is None and not named and any(worker.user is None for worker in workers):
        user = asker.text("Whom to log in as on the workers", "the same name as here")
    workers = tuple(
        dataclasses.replace(worker, user=worker.user or user, transport=args.transport) for worker in workers
    )
    script, module = args.script, args.module
    if script is None and module is None:
        found = likely_program(project)
        if found is None and not named:
            found = asker.text("Which script does each rank run, such as train.py", "the module trainer")
        script = found if found and found != "trainer" else None
    settings = RunSettings(module=None, script=script) if script else RunSettings(module=module or "trainer")
    beginning = begin(project, workers, settings, replace=replace)
    for path in beginning.written:
        print(path)
    for path in beginning.kept:
        print(texts.said(f"{path} was there and stays as it is"), file=sys.stderr)
    if settings.module == "trainer" and likely_program(project) != "trainer":
        lacking = (
            "there is no folder `trainer` in this project: name your own program with `run: {script: ...}`"
        )
        print(texts.said(lacking), file=sys.stderr)
    print(texts.said(f"{len(workers)} workers; next: dtui preflight, then dtui up"), file=sys.stderr)
    return DONE
