"""The reference of all keys in ``docs/inventory.md``, made from the table that reads them.

``python -m fleet.inventory.reference docs/inventory.md`` brings the file up to date.
"""

from __future__ import annotations

import sys
from pathlib import Path

from fleet.inventory.keys import KEYS, WITH_OPTIONS, SectionName

BEGIN = "<!-- keys: made by `python -m fleet.inventory.reference docs/inventory.md` -->"
END = "<!-- end of keys -->"

_NODES: tuple[SectionName, ...] = ("master", "defaults", "group", "node")


#: A heading with the blocks whose keys are listed below it; blocks that share keys share a table.
_TABLES: tuple[tuple[str, tuple[SectionName, ...]], ...] = (
    ("The file itself", ("file",)),
    ("`run`: the program", ("run",)),
    ("`data`: what the program reads", ("data",)),
    ("Nodes: `master`, `defaults`, each of the `groups`, each entry of `nodes`", _NODES),
    *((f"`{kind.name}`, in a node, a group or `defaults`", (kind.name,)) for kind in WITH_OPTIONS),
)


def reference() -> str:
    """Return the Markdown tables of all keys."""
    return "\n".join(_table(title, sections) for title, sections in _TABLES)


def _table(title: str, sections: tuple[SectionName, ...]) -> str:
    rows = ["| key | value | meaning | default |", "|---|---|---|---|"]
    for key in KEYS:
        places = [section for section in sections if section in key.sections]
        if not places:
            continue
        where = "" if len(places) == len(sections) else f" (in {', '.join(places)})"
        rows.append(f"| `{key.name}`{where} | {key.form} | {key.help} | {key.default or '-'} |")
    return f"### {title}\n\n" + "\n".join(rows) + "\n"


def with_reference(document: str) -> str:
    """Return the document with the text between its two marks generated again."""
    before, rest = document.split(BEGIN)
    _, after = rest.split(END)
    return f"{before}{BEGIN}\n\n{reference()}\n{END}{after}"


if __name__ == "__main__":
    page = Path(sys.argv[1])
    page.write_text(with_reference(page.read_text(encoding="utf-8")), encoding="utf-8")
