"""The tables of checks in ``docs/preflight.md`` and ``docs/preflight.ko.md``, made from their declarations.

``scripts/generated_pages.py`` updates the files.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from agent.wire.message import Message, message
from fleet.preflight.catalog import GROUPS, checks_for
from fleet.preflight.check import Group, Scope
from fleet.preflight.fixes import fixable

BEGIN = "<!-- checks: made by `make generated` -->"
END = "<!-- end of checks -->"

_TITLES: Mapping[Group, Message] = {
    "reach": message("check.group-reach", "Reach: connection and login"),
    "ports": message("check.group-ports", "Ports: connections between the nodes"),
    "machine": message("check.group-machine", "Machine: hardware and settings"),
    "environment": message("check.group-environment", "Environment: deployed software and data"),
    "network": message("check.group-network", "Network (with `--network`): latency and bandwidth"),
}
_SCOPES: Mapping[Scope, Message] = {
    "node": message("check.scope-node", "the node"),
    "pair": message("check.scope-pair", "connections to all others"),
    "fleet": message("check.scope-fleet", "the node and all others"),
}
_HEAD = message("check.table-head", "| name | what | scope | why it matters | `--fix` |")
_FIXABLE = message("check.table-fixable", "yes")


def reference(translate: Callable[[Message], str] = str) -> str:
    """Return the Markdown tables of all checks, one per group."""
    parts = []
    for group in GROUPS:
        rows = [
            f"| `{check.name}` | {translate(check.title)} | {translate(_SCOPES[check.scope])} "
            f"| {translate(check.why)} | {translate(_FIXABLE) if fixable(check.name) else ''} |"
            for check in checks_for()
            if check.group == group
        ]
        parts.append(
            "\n".join(
                [f"### {translate(_TITLES[group])}", "", translate(_HEAD), "|---|---|---|---|---|", *rows, ""]
            )
        )
    return "\n".join(parts)


def with_reference(page: str, translate: Callable[[Message], str] = str) -> str:
    """Return the page with the tables between its two marks; raises ValueError when there are none."""
    before, after = page.index(BEGIN) + len(BEGIN), page.index(END)
    return f"{page[:before]}\n{reference(translate)}{page[after:]}"
