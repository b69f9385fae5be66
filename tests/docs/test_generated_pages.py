"""The generated parts of the documents are those of today's declarations."""

from __future__ import annotations

from fleet.preflight import columns
from scripts.generated_pages import ROOT, pages
from tui.i18n import Texts


def test_generated_pages_are_up_to_date() -> None:
    stale = [path.name for path, text in pages().items() if path.read_text("utf-8") != text]
    assert stale == [], "run `make generated`"


def test_each_check_is_in_both_languages() -> None:
    for lang, name in (("en", "preflight.md"), ("ko", "preflight.ko.md")):
        page, texts = (ROOT / "docs" / name).read_text("utf-8"), Texts(lang)
        for column in columns():
            assert f"| `{column.name}` | {texts.translate(column.title)} |" in page
