"""The agent's imports have no cycle: importlib breaks one between two threads with half a module."""

from __future__ import annotations

import ast
from pathlib import Path

AGENT = Path(__file__).resolve().parents[2] / "agent"


def modules() -> dict[str, Path]:
    names = {}
    for path in AGENT.rglob("*.py"):
        parts = ("agent", *path.relative_to(AGENT).with_suffix("").parts)
        names[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return names


def imported_at_once(path: Path, known: set[str]) -> set[str]:
    """Return the agent's modules that importing this file imports, packages of them included."""
    found: set[str] = set()

    def visit(body: list[ast.stmt]) -> None:
        for statement in body:
            if isinstance(statement, ast.If):
                if "TYPE_CHECKING" not in ast.dump(statement.test) and "MYPY" not in ast.dump(statement.test):
                    visit(statement.body + statement.orelse)
            elif isinstance(statement, ast.Import):
                found.update(alias.name for alias in statement.names)
            elif isinstance(statement, ast.ImportFrom) and statement.module:
                found.add(statement.module)
                found.update(f"{statement.module}.{alias.name}" for alias in statement.names)

    visit(ast.parse(path.read_text("utf-8")).body)
    return found & known


def test_the_agents_modules_import_each_other_in_one_direction() -> None:
    paths = modules()
    edges = {name: imported_at_once(path, set(paths)) - {name} for name, path in paths.items()}
    for name in list(edges):
        # A package's submodule is no part of what importing the package needs, unless it imports it.
        edges[name] = {target for target in edges[name] if not name.startswith(f"{target}.")}
    done: set[str] = set()

    def walk(name: str, chain: tuple[str, ...]) -> None:
        assert name not in chain, " -> ".join([*chain[chain.index(name) :], name])
        if name not in done:
            for target in sorted(edges[name]):
                walk(target, (*chain, name))
            done.add(name)

    for name in edges:
        walk(name, ())
