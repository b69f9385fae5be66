"""Updates the parts of ``docs/`` that are made from declarations: ``python scripts/generated_pages.py``."""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
_DOCS = ROOT / "docs"
_BEGIN = "<!-- quantities: made by `make generated` -->"
_END = "<!-- end of quantities -->"


def pages() -> dict[Path, str]:
    """Return path -> text of each page as it should be."""
    from fleet.diagnose.reference import page as causes_page
    from fleet.preflight.reference import with_reference
    from tui.i18n import Texts
    from tui.keys import keys_page

    found = {}
    for lang, suffix in (("en", ".md"), ("ko", ".ko.md")):
        found[_DOCS / f"keys{suffix}"] = keys_page.page(lang)
        found[_DOCS / f"causes{suffix}"] = causes_page(Texts(lang).translate)
        preflight = _DOCS / f"preflight{suffix}"
        found[preflight] = with_reference(preflight.read_text("utf-8"), Texts(lang).translate)
    telemetry = _DOCS / "telemetry.md"
    found[telemetry] = with_quantities(telemetry.read_text("utf-8"))
    return found


def with_quantities(page: str) -> str:
    """Return the page with the table of today's quantities between its two marks."""
    from agent.wire.gpu import GPU_QUANTITIES
    from agent.wire.telemetry import HOST_QUANTITIES

    before, after = page.index(_BEGIN) + len(_BEGIN), page.index(_END)
    rows = [
        f"| `{one.key}` | {where} | {one.unit or 'number'} | {one.title} |"
        for where, quantities in (("GPU", GPU_QUANTITIES), ("machine", HOST_QUANTITIES))
        for one in quantities
    ]
    table = "\n".join(["| key | of | unit | in the chart |", "|---|---|---|---|", *rows])
    return f"{page[:before]}\n{table}\n{page[after:]}"


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    for path, text in pages().items():
        path.write_text(text, "utf-8")
