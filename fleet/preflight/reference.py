"""The table of checks in ``docs/preflight.md``, made from their declarations.

``python -m fleet.preflight.reference docs/preflight.md`` brings the file up to date.
"""

from __future__ import annotations

import sys
from pathlib import Path

from fleet.preflight.catalog import GROUPS, checks_for
from fleet.preflight.check import Group
from fleet.preflight.fixes import fixable

BEGIN = "<!-- checks: made by `python -m fleet.preflight.reference docs/preflight.md` -->"
END = "<!-- end of checks -->"

_TITLES: dict[Group, str] = {
    "reach": "Reach: is the node there, and does it let us in?",
    "ports": "Ports: can every node connect to every other?",
    "machine": "Machine: is it fit?",
    "environment": "Environment, once deployed: is everything the same, and does it work?",
    "network": "Network (with `--network`): how far, how wide?",
}
_SCOPES = {"node": "the node", "pair": "ways to all others", "fleet": "the node beside all others"}


def reference() -> str:
    """Return the Markdown tables of all checks, a table a group."""
    parts = []
    for group in GROUPS:
        rows = [
            f"| `{check.name}` | {check.title} | {_SCOPES[check.scope]} | {check.why} "
            f"| {'yes' if fixable(check.name) else ''} |"
            for check in checks_for()
            if check.group == group
        ]
        head = "| name | what | looks at | why it matters | `--fix` |\n|---|---|---|---|---|"
        parts.append("\n".join([f"### {_TITLES[group]}", "", head, *rows, ""]))
    return "\n".join(parts)


def with_reference(page: str) -> str:
    """Return the page with the tables between its two marks; raises ValueError when there are none."""
    before, after = page.index(BEGIN) + len(BEGIN), page.index(END)
    return f"{page[:before]}\n{reference()}{page[after:]}"


if __name__ == "__main__":
    path = Path(sys.argv[1])
    path.write_text(with_reference(path.read_text("utf-8")), "utf-8")
