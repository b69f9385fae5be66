"""The program on the command line: ``dtui up train.py --lr 3e-4`` or ``dtui up -m pkg.train --lr 3e-4``.

As with python and torchrun, everything behind the script or ``-m MODULE`` belongs to the program, and options
of dtui come before it.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from agent.wire.message import Message, message
from fleet.inventory import Inventory
from tui.cli.exits import UsageError
from tui.cli.parser import takes_value
from tui.paths import expanded

_NOTEBOOK = ".ipynb"


class CommandLine(NamedTuple):
    """The words for dtui's own parser, and options of the program that dtui has as well."""

    words: list[str]
    shared: tuple[str, ...] = ()


def with_program(words: Sequence[str], parser: argparse.ArgumentParser) -> CommandLine:
    """Return the command line with the program as an option and its arguments after ``--``.

    ``parser`` is that of the command ``words[0]``. Raises UsageError for a program that can't be started.
    """
    at = 1
    while at < len(words):
        word = words[at]
        if word == "--":
            break
        if word == "-m":
            if at + 1 == len(words):
                raise UsageError(
                    message("cli.module-missing", "-m needs the name of a module"),
                    message(
                        "cli.module-missing.remedy", "write `dtui {command} -m pkg.train`", command=words[0]
                    ),
                )
            return _line(words[:at], ["--module", words[at + 1]], words[at + 2 :], parser)
        if word.startswith("-") and word != "-":
            at += 2 if takes_value(word, parser) else 1
            continue
        if fault := notebook_fault(word, words[0]):
            raise fault
        return _line(words[:at], ["--script", word], words[at + 1 :], parser)
    return CommandLine(list(words))


def _line(
    own: Sequence[str], program: list[str], arguments: Sequence[str], parser: argparse.ArgumentParser
) -> CommandLine:
    if arguments and arguments[0] == "--":
        arguments = arguments[1:]
    options = [word.partition("=")[0] for word in arguments if word.startswith("--") and len(word) > 2]
    shared = tuple(option for option in dict.fromkeys(options) if option in parser._option_string_actions)
    return CommandLine([*own, *program, "--", *arguments], shared)


def notebook_fault(script: str, command: str) -> UsageError | None:
    """Return why the program can't be started when it is a notebook."""
    if not script.endswith(_NOTEBOOK):
        return None
    target = script.removesuffix(_NOTEBOOK) + ".py"
    return UsageError(
        message("cli.notebook", "{script} is a notebook, which ranks cannot run", script=script),
        message(
            "cli.notebook.remedy",
            "convert it (`jupyter nbconvert --to script {script}`) and run `dtui {command} {target}`",
            script=script,
            command=command,
            target=target,
        ),
    )


def module_fault(module: str, command: str) -> UsageError | None:
    """Return why a text is not the name of a module, when it is the path of a script or a notebook."""
    if fault := notebook_fault(module, command):
        return fault
    if not module.endswith(".py") and "/" not in module and "\\" not in module:
        return None
    script = module.replace("\\", "/")
    dotted = script.removesuffix(".py").replace("/", ".")
    return UsageError(
        message("cli.module-is-a-path", "{module} is a path, not the name of a module", module=module),
        message(
            "cli.module-is-a-path.remedy",
            "write `dtui {command} {script}` or `dtui {command} -m {dotted}`",
            command=command,
            script=script if script.endswith(".py") else script + ".py",
            dotted=dotted,
        ),
    )


def script_in_project(script: str, inventory: Inventory) -> str:
    """Return a script's path below the project, with ``/``; raises UsageError when it is not below it.

    A relative path is looked up in the project's folder, then in the current one.
    """
    root = inventory.project.resolve()
    named = expanded(Path(script))
    for base in (root, Path.cwd()):
        path = (base / named).resolve()
        if path.is_file() and path.is_relative_to(root):
            return path.relative_to(root).as_posix()
    outside = (Path.cwd() / named).resolve()
    if outside.is_file():
        raise UsageError(
            message(
                "cli.script-outside",
                "{script} is not in the project {project}",
                script=script,
                project=str(root),
            ),
            message(
                "cli.script-outside.remedy",
                "move it into the project, or name its own project with --project {folder}",
                folder=str(outside.parent),
            ),
        )
    raise UsageError(
        message(
            "cli.no-script", "the project {project} has no file {script}", project=str(root), script=script
        ),
        _scripts_of(root),
    )


def folder_in_project(folder: str, inventory: Inventory) -> str:
    """Return a folder's path below the project, with ``/`` and empty for the project's; raises UsageError.

    A relative path is looked up in the project's folder, then in the current one.
    """
    root = inventory.project.resolve()
    named = expanded(Path(folder))
    for base in (root, Path.cwd()):
        path = (base / named).resolve()
        if path.is_dir() and path.is_relative_to(root):
            below = path.relative_to(root).as_posix()
            return "" if below == "." else below
    raise UsageError(
        message(
            "cli.no-folder",
            "the project {project} has no folder {folder}",
            project=str(root),
            folder=folder,
        ),
        message("cli.no-folder.remedy", "name the folder by its path from the project's folder"),
    )


def _scripts_of(root: Path) -> Message:
    scripts = sorted(path.name for path in root.glob("*.py"))[:8]
    if not scripts:
        return message("cli.no-script-at-all.remedy", "name the script by its path from the project's folder")
    return message("cli.no-script.remedy", "the project's folder has {scripts}", scripts=scripts)


def shared_options_note(shared: Sequence[str]) -> Message:
    """Return the note for options after the program that dtui has as well."""
    return message(
        "cli.options-of-program",
        "passed to the program: {options}; options of dtui come before the program",
        options=list(shared),
    )
