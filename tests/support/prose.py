"""The sentences for a person that stand in the sources, found by reading these."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass
from pathlib import Path

HOLE = "{}"
_HOLES = re.compile(r"(?:\{\})+")
#: Other ways to leave room for a value: ``%s``, and ``{:.0f}`` of a later ``format``.
_PERCENT = re.compile(r"%(?:\.\d+)?[sdrfg]\b|\{:[^{}]*\}")
_WORD = re.compile(r"[a-z]{2,}")
#: What is no more than the beginning of a sentence, or its end.
_GOES_ON = re.compile(r"[\s,;:(]$")
_WENT_BEFORE = re.compile(r"^[\s,;:.)]")
#: Calls whose texts are for a person, were they only a word.
_FOR_PERSONS = {"ok", "warn", "fail", "skip", "Absent", "Fault"}
#: Exceptions that tell a programmer of a mistake.
_OF_PROGRAMMERS = {"ValueError", "TypeError", "KeyError", "RuntimeError", "LookupError", "AssertionError"}
#: Calls whose texts are for programs.
_FOR_PROGRAMS = {
    "compile",
    "match",
    "search",
    "sub",
    "split",
    "ArgumentParser",
    "add_argument",
    "add_argument_group",
    "add_parser",
    "ArgumentTypeError",
    "namedtuple",
    "say",
    "_say",
}


@dataclass(frozen=True, slots=True)
class Prose:
    """A sentence with ``{}`` for each value, and where it stands."""

    text: str
    where: str


def prose_of(path: Path) -> list[Prose]:
    """Return each text of a source file that reads like words for a person."""
    return [Prose(text, f"{path.parent.name}/{path.name}:{line}") for line, text in _found(path).found]


def texts_of(path: Path) -> set[str]:
    """Return all texts of a source file, be they prose or not."""
    return _found(path).every


def _found(path: Path) -> _Finder:
    finder = _Finder()
    finder.visit(ast.parse(path.read_text("utf-8")))
    return finder


def form(text: str) -> str:
    """Return a sentence as it is compared: neighbouring values are one, and one stands where it is cut."""
    text = _HOLES.sub(HOLE, _PERCENT.sub(HOLE, text))
    text = HOLE + text if _WENT_BEFORE.search(text) else text
    text = text + HOLE if _GOES_ON.search(text) else text
    return _HOLES.sub(HOLE, text)


class _Finder(ast.NodeVisitor):
    def __init__(self) -> None:
        self.found: list[tuple[int, str]] = []
        #: Whatever stands in quotes, words or not.
        self.every: set[str] = set()

    def visit_Expr(self, node: ast.Expr) -> None:
        if not isinstance(node.value, ast.Constant):  # a docstring
            self.generic_visit(node)

    def visit_Raise(self, node: ast.Raise) -> None:
        call = node.exc
        if isinstance(call, ast.Call) and getattr(call.func, "id", "") in _OF_PROGRAMMERS:
            return
        self.generic_visit(node)

    def visit_Assert(self, node: ast.Assert) -> None:
        """Leave it out."""

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        if node.value is not None:
            self.visit(node.value)

    def visit_Call(self, node: ast.Call) -> None:
        name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        if name in _FOR_PROGRAMS:
            return
        for value in (*node.args, *(keyword.value for keyword in node.keywords)):
            if name in _FOR_PERSONS:
                self._fragments(value)
            else:
                self.visit(value)
        self.visit(node.func)

    def visit_JoinedStr(self, node: ast.JoinedStr) -> None:
        parts = [str(part.value) if isinstance(part, ast.Constant) else HOLE for part in node.values]
        self._take(node.lineno, "".join(parts))
        for part in node.values:
            if isinstance(part, ast.FormattedValue):
                self._fragments(part.value)

    def _fragments(self, value: ast.expr) -> None:
        """Visit a value that is said; a lone word in it is a sentence, or a part of one, too."""
        branches = [value]
        while branches:
            one = branches.pop()
            if isinstance(one, ast.IfExp):
                branches += [one.body, one.orelse]
            elif isinstance(one, ast.BoolOp):
                branches += one.values
            elif isinstance(one, ast.Constant) and isinstance(one.value, str):
                self._take(one.lineno, one.value, alone=True)
        self.visit(value)

    def visit_Constant(self, node: ast.Constant) -> None:
        if isinstance(node.value, str):
            self._take(node.lineno, node.value)

    def _take(self, line: int, text: str, *, alone: bool = False) -> None:
        words = _PERCENT.sub("", text.replace(HOLE, ""))
        self.every.add(form(text))
        if _WORD.search(words) and (alone or " " in text.strip()):
            self.found.append((line, form(text)))
