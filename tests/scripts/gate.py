"""What is wrong with a PowerShell script, without a PowerShell: tree-sitter's grammar and rules of our own.

The grammar is silent on some mistakes that Windows PowerShell 5.1 refuses; the rules are for these.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

import tree_sitter_powershell
from tree_sitter import Language, Node, Parser

#: `"$x: y"` reads the colon as a drive; `"${x}: y"`, `"$($x): y"` and `"$env:NAME"` are right.
_DRIVE = re.compile(r"\$[A-Za-z_]\w*:(?![A-Za-z_])")


@dataclass(frozen=True)
class Fault:
    """A mistake and the line where it stands, from 1."""

    line: int
    what: str


def parse(source: bytes) -> Node:
    """Return the root of the syntax tree."""
    return Parser(Language(tree_sitter_powershell.language())).parse(source).root_node


def nodes(root: Node) -> Iterator[Node]:
    """Yield every node, parents before children."""
    yield root
    for child in root.children:
        yield from nodes(child)


def text_of(node: Node) -> str:
    return (node.text or b"").decode("utf-8", "replace")


def faults(source: bytes) -> list[Fault]:
    """Return all faults in the order of their lines."""
    found = [*_bytes(source)]
    for node in nodes(parse(source)):
        line = node.start_point[0] + 1
        if node.is_error or node.is_missing:
            found.append(Fault(line, f"syntax: {text_of(node)[:60]!r}"))
        elif node.type == "pipeline_chain_tail" or text_of(node) in ("&&", "||"):
            found.append(Fault(line, "&& and || are not in Windows PowerShell 5.1"))
        elif node.type == "expandable_string_literal" and _DRIVE.search(text_of(node)):
            found.append(Fault(line, f"a variable with a colon behind it: {text_of(node)[:60]}"))
        elif node.type == "assignment_expression" and _without_value(node):
            found.append(Fault(line, f"nothing is assigned: {text_of(node)[:60]!r}"))
        elif node.type == "try_statement" and not _caught(node):
            found.append(Fault(line, "try without catch or finally"))
    return sorted(set(found), key=lambda fault: (fault.line, fault.what))


def _bytes(source: bytes) -> Iterator[Fault]:
    for number, line in enumerate(source.split(b"\n")[:-1], 1):
        if not line.endswith(b"\r"):
            yield Fault(number, "the line does not end in CR LF")
        if any(byte > 126 or (byte < 32 and byte != 13) for byte in line):
            # Windows PowerShell 5.1 reads a file without a byte order mark in the machine's code page.
            yield Fault(number, "not pure ASCII, or a tab")
        if b"*" in line and not line.startswith(b"$EveryAddress = '*'"):
            # As an address, a host or a name it would mean everybody and everything.
            yield Fault(number, "an asterisk")
    if not source.endswith(b"\n"):
        yield Fault(source.count(b"\n") + 1, "the last line does not end in CR LF")


def _without_value(node: Node) -> bool:
    value = node.child_by_field_name("value")
    if value is None or value.type == "empty_statement" or not text_of(value).strip():
        return True
    operator = next(child for child in node.children if child.type == "assignement_operator")
    # The grammar takes the next line as the value, which PowerShell does too: never what was meant.
    return operator.end_point[0] != value.start_point[0]


def _caught(node: Node) -> bool:
    return any(child.type in ("catch_clauses", "finally_clause") for child in node.children)
