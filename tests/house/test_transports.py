"""Only the packages of transports know a transport by its name; the rest reads the declarations."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import transports
from agent.wire.message import Message
from fleet.inventory.keys import check_names
from fleet.preflight.catalog import GROUPS, checks_for
from fleet.secrets import is_secret_name
from transports.kind import Option, Text, TransportKind
from transports.registry import KINDS

ROOT = Path(transports.__file__).parent.parent


def comparisons(source: str) -> Iterator[int]:
    """Yield the line of each comparison of something called ``transport`` with the name of a transport."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Compare):
            sides = [node.left, *node.comparators]
        elif isinstance(node, ast.Match):
            sides = [node.subject, *(case.pattern for case in node.cases)]
        elif isinstance(node, ast.Subscript):  # a dictionary that is keyed by names
            sides = [node.slice, node.value]
        else:
            continue
        words = {part.value for side in sides for part in ast.walk(side) if isinstance(part, ast.Constant)}
        called = {
            part.attr if isinstance(part, ast.Attribute) else part.id
            for side in sides
            for part in ast.walk(side)
            if isinstance(part, ast.Attribute | ast.Name)
        }
        if words & KINDS.keys() and "transport" in called:
            yield node.lineno


@pytest.mark.parametrize("package", ["agent", "fleet", "tui"])
def test_nothing_else_compares_the_names_of_transports(package: str) -> None:
    found = [
        f"{path.relative_to(ROOT)}:{line}"
        for path in (ROOT / package).rglob("*.py")
        for line in comparisons(path.read_text("utf-8"))
    ]
    # The servers that a demo can start are those of the lab.
    assert [place for place in found if not place.startswith("tui/cli/commands/demo.py")] == []


@pytest.mark.parametrize(
    "source",
    [
        'node.transport == "ssh"',
        'node.transport in ("winrm", "auto")',
        '"local" != transport',
        '{"ssh": 1, "winrm": 2}[node.transport]',
        'match node.transport:\n    case "ssh": pass',
    ],
)
def test_each_form_of_a_comparison_is_found(source: str) -> None:
    assert list(comparisons(source)) == [1]


def test_each_name_of_a_check_is_unique() -> None:
    """A transport with services has a check of its name, which can be selected as groups can."""
    names = [check.name for check in checks_for()]
    assert len(set(names)) == len(names)
    assert not set(GROUPS) & {kind.name for kind in KINDS.values() if kind.check is not None}


@pytest.mark.parametrize("name", ["run", "port"])
def test_a_transport_cannot_have_the_name_of_a_key_or_section(name: str) -> None:
    kind = TransportKind(
        name=name, summary=Message("x"), create=KINDS["ssh"].create, options=(Option("a", Text(), "help"),)
    )
    with pytest.raises(ValueError, match=f"transport {name!r}"):
        check_names([kind])


def test_no_option_invites_a_secret_into_the_inventory() -> None:
    for kind in KINDS.values():
        texts = [option.name for option in kind.options if isinstance(option.type, Text)]
        assert [name for name in texts if is_secret_name(name)] == []


def test_a_declaration_says_what_a_user_needs() -> None:
    for kind in KINDS.values():
        assert kind.summary
        assert all(option.help for option in kind.options)
        if not kind.uses & {"port"}:
            assert kind.check is None, "a port of the service can't be given"
