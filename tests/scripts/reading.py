"""What the scripts declare and call, read from their syntax trees."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.scripts.gate import nodes, parse, text_of

ROOT = Path(__file__).parent.parent.parent
SCRIPTS = ROOT / "scripts"
ENTRIES = ("worker_setup", "master_setup", "master_deploy")


def all_files() -> list[Path]:
    return sorted(SCRIPTS.rglob("*.ps1"))


def text(name: str) -> str:
    return (SCRIPTS / f"{name}.ps1").read_text("ascii").replace("\r\n", "\n")


def parts(name: str) -> list[Path]:
    """Return the entry script and the files that it dot-sources."""
    named = re.findall(r"^\. \(Join-Path \$PSScriptRoot '(.+?)'\)", text(name), re.MULTILINE)
    return [SCRIPTS / f"{name}.ps1", *(SCRIPTS / part.replace("\\", "/") for part in named)]


def signatures(path: Path) -> dict[str, set[str]]:
    """Return the parameters of every function of the file."""
    found = {}
    for node in nodes(parse(path.read_bytes())):
        if node.type == "function_statement":
            name = next(text_of(child) for child in node.children if child.type == "function_name")
            found[name] = {
                text_of(variable)[1:]
                for part in nodes(node)
                if part.type == "script_parameter"
                for variable in part.children
                if variable.type == "variable"
            }
    return found


def functions(path: Path) -> set[str]:
    return set(signatures(path))


def calls(path: Path) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Yield every command's name with the parameters it is given."""
    for node in nodes(parse(path.read_bytes())):
        if node.type != "command":
            continue
        name = next((text_of(child) for child in node.children if child.type == "command_name"), None)
        if name is None:
            continue
        elements = (child for child in node.children if child.type == "command_elements")
        given = [
            text_of(part)[1:]
            for element in elements
            for part in element.children
            if part.type == "command_parameter"
        ]
        yield name, tuple(given)


def parameters(name: str) -> set[str]:
    """Return the parameters of an entry script."""
    block = text(name).split("\nparam(\n", 1)[1].split("\n)\n", 1)[0]
    return set(re.findall(r"^\s*\[[\w\[\]]+\]\$(\w+)", block, re.MULTILINE))


def effects(name: str) -> dict[str, Any]:
    found = re.search(r"^\$EffectsJson = @'\n(.*?)\n'@$", text(name), re.DOTALL | re.MULTILINE)
    assert found is not None
    return dict(json.loads(found.group(1)))
