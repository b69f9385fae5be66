"""Writes the table of transports in ``docs/transports.md`` and ``docs/transports.ko.md``.

``python scripts/transports_reference.py`` brings both files up to date.
"""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PAGES = {"en": ROOT / "docs" / "transports.md", "ko": ROOT / "docs" / "transports.ko.md"}


def updated(lang: str) -> str:
    """Return the page of a language with the table of today's transports."""
    from transports.reference import with_reference
    from tui.i18n import Texts

    return with_reference(PAGES[lang].read_text("utf-8"), Texts(lang).translate)


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    for lang, path in PAGES.items():
        path.write_text(updated(lang), "utf-8")
