"""Draws the README's pictures from the recordings: ``python -m tests.console.gallery``."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from tests.console.driving import settled
from tests.console.fakes import Recorded, cards, console, history

FOLDER = Path(__file__).parents[2] / "docs" / "images"
SIZE = (120, 36)

#: Picture -> (recording, mode, language, keys pressed first).
PICTURES: dict[str, tuple[str, str, str, str]] = {
    "nodes": ("nodes_busy", "nodes", "en", ""),
    "preflight": ("preflight_error", "preflight", "en", "jjjjjlll"),
    "routes": ("preflight_error", "preflight", "en", "wjlll"),
    "chart": ("monitor_busy", "monitor", "en", "L"),
    "deploy": ("deploy_busy", "deploy", "en", ""),
    "monitor": ("monitor_busy", "monitor", "en", ""),
    "runs": ("monitor_error", "runs", "en", ""),
    "korean": ("monitor_error", "monitor", "ko", ""),
}


async def draw(name: str) -> str:
    """Return the picture as SVG; the operations are the recorded ones, so it is the same every time."""
    recording, mode, lang, keys = PICTURES[name]
    app = console(recording, mode, lang=lang, operations=Recorded(cards(), runs=history()))
    async with app.run_test(size=SIZE) as pilot:
        await settled(pilot)
        await pilot.press(*keys)
        return await settled(pilot)


def main() -> None:
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name in PICTURES:
        (FOLDER / f"{name}.svg").write_text(asyncio.run(draw(name)), "utf-8", newline="\n")
        print(FOLDER / f"{name}.svg", file=sys.stderr)


if __name__ == "__main__":
    main()
