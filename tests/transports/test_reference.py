"""The table of transports in the documents is that of the declarations."""

from __future__ import annotations

import pytest

from scripts.transports_reference import PAGES, updated
from transports.registry import KINDS


@pytest.mark.parametrize("lang", PAGES)
def test_the_table_of_transports_is_up_to_date(lang: str) -> None:
    page = PAGES[lang].read_text("utf-8")
    assert updated(lang) == page
    for kind in KINDS:
        assert f"| `{kind}` | " in page
