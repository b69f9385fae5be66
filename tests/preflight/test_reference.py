"""The document's table is that of the declarations."""

from __future__ import annotations

from pathlib import Path

from fleet.preflight import columns
from fleet.preflight.reference import with_reference


def test_the_table_of_checks_is_up_to_date() -> None:
    page = Path("docs/preflight.md").read_text("utf-8")
    assert with_reference(page) == page
    for column in columns():
        assert f"| `{column.name}` | {column.title} |" in page
