"""Every message is made of literals, an id and a template, and of named arguments; each has its Korean."""

from __future__ import annotations

import ast
import re
import string
from collections import defaultdict
from collections.abc import Iterator

import pytest

from agent.wire.message import message
from scripts.translations import PACKAGES, ROOT, messages, problems

#: The area, what happened, and perhaps ``remedy``.
ID = re.compile(r"[a-z][a-z0-9]*(?:-[a-z0-9]+)*(?:\.[a-z][a-z0-9]*(?:-[a-z0-9]+)*){1,2}")


def calls(source: str) -> Iterator[ast.Call]:
    for node in ast.walk(ast.parse(source)):
        if (
            isinstance(node, ast.Call)
            and getattr(node.func, "id", getattr(node.func, "attr", "")) == "message"
        ):
            yield node


def fault(call: ast.Call) -> str:
    """Return what is wrong with a call of ``message``, empty when nothing is."""
    if len(call.args) != 2:
        return "an id and a template are its positional arguments"
    if not all(isinstance(one, ast.Constant) and isinstance(one.value, str) for one in call.args):
        return "id and template must be literals"
    id_, template = literals(call)
    if not ID.fullmatch(id_):
        return f"{id_!r} is no id"
    try:
        names = set(placeholders(template))
    except ValueError as error:
        return str(error)
    given = [keyword.arg for keyword in call.keywords]
    if None in given:
        return "arguments must be named"
    if names != set(given):
        return f"the template names {sorted(names)}, and {sorted(map(str, given))} are given"
    return ""


def literals(call: ast.Call) -> tuple[str, str]:
    return ast.literal_eval(call.args[0]), ast.literal_eval(call.args[1])


def placeholders(template: str) -> Iterator[str]:
    """Yield the template's names; raises ValueError for what looks into an argument, or has no name."""
    for _, name, spec, _ in string.Formatter().parse(template):
        if name is None:
            continue
        if not name.isidentifier() or "{" in (spec or ""):
            raise ValueError(f"{name!r} is no plain name of an argument")
        yield name


@pytest.fixture(scope="module")
def found() -> list[tuple[str, ast.Call]]:
    return [
        (f"{path.relative_to(ROOT)}:{call.lineno}", call)
        for package in PACKAGES
        for path in sorted((ROOT / package).rglob("*.py"))
        for call in calls(path.read_text("utf-8"))
    ]


def test_each_message_is_made_of_literals_and_named_arguments(found: list[tuple[str, ast.Call]]) -> None:
    assert len(found) > 100
    assert [f"{where}: {wrong}" for where, call in found if (wrong := fault(call))] == []


def test_an_id_has_one_template(found: list[tuple[str, ast.Call]]) -> None:
    templates: dict[str, set[str]] = defaultdict(set)
    for _, call in found:
        id_, template = literals(call)
        templates[id_].add(template)
    assert {id_: some for id_, some in templates.items() if len(some) > 1} == {}


def test_each_message_is_translated() -> None:
    assert problems(messages()) == []


@pytest.mark.parametrize(
    ("source", "wrong"),
    [
        ("message('run.unknown', 'no run {run!r}', run=run)", ""),
        ("message('run.late', 'none within {seconds:.0f} s', seconds=3.0)", ""),
        ("message('run.unknown', f'no run {run}')", "must be literals"),
        ("message('run.unknown', 'no run %s' % run)", "must be literals"),
        ("message(code + '.remedy', 'start one')", "must be literals"),
        ("message('Run unknown', 'no run')", "is no id"),
        ("message('run', 'no run')", "is no id"),
        ("message('run.unknown', 'no run {run}')", "the template names ['run'], and [] are given"),
        ("message('run.unknown', 'no run', run=run)", "the template names [], and ['run'] are given"),
        ("message('run.unknown', 'no run {}', run=run)", "is no plain name"),
        ("message('run.unknown', 'no run {run.id}', run=run)", "is no plain name"),
        ("message('run.unknown', 'no run {run:{width}}', run=run, width=3)", "is no plain name"),
        ("message('run.unknown', 'no run {', run=run)", "Single '{'"),
        ("message('run.unknown', 'no run {run}', **args)", "must be named"),
        ("message('run.unknown')", "positional"),
    ],
)
def test_each_fault_of_a_message_is_found(source: str, wrong: str) -> None:
    (call,) = calls(source)
    assert wrong in fault(call)
    assert bool(fault(call)) == bool(wrong)


def test_braces_of_foreign_text_stand_for_themselves() -> None:
    text = "{0} {run} {{x}} {"
    said = message("run.unknown", "no run {run!r} in {{here}}: {error}", run=text, error=text)
    assert said == f"no run {text!r} in {{here}}: {text}"
    assert said.id == "run.unknown"
    assert said.args == {"run": text, "error": text}
