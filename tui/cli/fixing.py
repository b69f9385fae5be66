"""``dtui preflight --fix``: show each fix as the exact command, and ask."""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fleet.preflight.fixes import Fix


async def agreed(fix: Fix) -> bool:
    """Ask the person at the terminal; only a clear yes counts."""
    return await asyncio.to_thread(_ask, fix)


def _ask(fix: Fix) -> bool:
    rights = " (needs an administrator)" if fix.needs_administrator else ""
    steps = "\n".join(f"    {line}" for line in fix.shown.splitlines())
    question = f"{fix.node}: {fix.what}{rights}\n{steps}\n  Do it? [y/N] "
    print(question, end="", file=sys.stderr, flush=True)
    answer = sys.stdin.readline()
    if not answer.endswith("\n"):
        print(file=sys.stderr)  # nobody is there: that is a no
    return answer.strip().lower() in ("y", "yes", "예", "네")
