"""How often the sources give up types: each use of ``Any`` is counted, and the count only falls."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

import agent

ROOT = Path(agent.__file__).parent.parent
#: Uses of ``Any`` in each group of packages. A change that removes some lowers the number here; at most 40
#: are wanted in fleet and tui together.
RECORDED = {("fleet", "tui"): 36, ("agent",): 119}


def uses(source: str) -> Iterator[int]:
    """Yield the line of each ``Any`` in code and annotations, not in imports, comments and docstrings."""
    for node in ast.walk(ast.parse(source)):
        name = node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else ""
        if name == "Any":
            yield node.lineno
        for annotation in _annotations(node):
            if isinstance(annotation, ast.Constant) and isinstance(annotation.value, str):
                yield from (node.lineno for _ in uses(annotation.value))
        if isinstance(node, ast.Call) and _name(node.func) == "cast" and node.args:
            kind = node.args[0]
            if isinstance(kind, ast.Constant) and isinstance(kind.value, str):
                yield from (kind.lineno for _ in uses(kind.value))


def _annotations(node: ast.AST) -> Iterator[ast.expr | None]:
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        yield node.returns
    elif isinstance(node, ast.arg | ast.AnnAssign):
        yield node.annotation


def _name(node: ast.expr) -> str:
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""


@pytest.mark.parametrize(("packages", "recorded"), RECORDED.items(), ids=lambda value: str(value))
def test_any_does_not_come_back(packages: tuple[str, ...], recorded: int) -> None:
    found: Counter[str] = Counter()
    for package in packages:
        for path in (ROOT / package).rglob("*.py"):
            found[str(path.relative_to(ROOT))] += sum(1 for _ in uses(path.read_text("utf-8")))
    total = found.total()
    most = ", ".join(f"{path}: {count}" for path, count in found.most_common(12) if count)
    assert total <= recorded, f"{total} uses of Any, {recorded} are recorded: declare the types ({most})"


def test_every_form_is_counted_and_text_is_not() -> None:
    source = '''
"""Any text."""
from typing import Any
import typing
# Any comment
def one(a: Any, b: "dict[str, Any]", *c: typing.Any) -> list[Any]:
    """Takes Any."""
    d: Any = cast("Any", cast(Any, a))
    return "Any"
Alias = dict[str, Any]
'''
    assert len(list(uses(source))) == 8
