"""``dtui preflight --fix``: show each fix as the exact command, ask, apply, check again."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncGenerator, Sequence
from typing import TYPE_CHECKING

from fleet.events import Event, Notice

if TYPE_CHECKING:
    from fleet.fleet import Fleet
    from fleet.inventory import Node
    from fleet.preflight import PreflightOptions
    from fleet.preflight.fixes import Fix
    from tui.cli.preflight_table import Results


async def offer(
    fleet: Fleet, nodes: Sequence[Node], options: PreflightOptions, results: Results
) -> AsyncGenerator[Event, None]:
    """Yield what came of each fix that the person at the terminal agreed to; ``results`` takes it in."""
    from fleet.preflight.mend import find_fixes, mend

    fixes = await find_fixes(fleet, nodes, results.cells.values())
    if not fixes:
        yield Notice(at=fleet.clock(), level="info", text="there is nothing that dtui can mend")
    for fix in fixes:
        if not await asyncio.to_thread(_agreed, fix):
            continue
        async for event in mend(fleet, nodes, fix, options):
            results.take(event)
            yield event


def _agreed(fix: Fix) -> bool:
    rights = " (needs an administrator)" if fix.needs_administrator else ""
    steps = "\n".join(f"    {line}" for line in fix.shown.splitlines())
    question = f"{fix.node}: {fix.what}{rights}\n{steps}\n  Do it? [y/N] "
    print(question, end="", file=sys.stderr, flush=True)
    answer = sys.stdin.readline()
    if not answer.endswith("\n"):
        print(file=sys.stderr)  # nobody is there: that is a no
    return answer.strip().lower() in ("y", "yes", "예", "네")
