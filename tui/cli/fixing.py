"""``dtui preflight --fix``: show each fix as the exact command, and ask."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from tui.i18n import Texts

if TYPE_CHECKING:
    from fleet.preflight.fixes import Fix


def asker(texts: Texts) -> Callable[[Fix], Awaitable[bool]]:
    """Return what asks the person at the terminal about a fix; only a clear yes counts."""

    async def agreed(fix: Fix) -> bool:
        return await asyncio.to_thread(_ask, fix, texts)

    return agreed


def _ask(fix: Fix, texts: Texts) -> bool:
    rights = f" ({texts.said('needs an administrator')})" if fix.needs_administrator else ""
    steps = "\n".join(f"    {line}" for line in texts.said(fix.shown).splitlines())
    question = f"{fix.node}: {texts.said(fix.what)}{rights}\n{steps}\n  {texts.said('Do it?')} [y/N] "
    print(question, end="", file=sys.stderr, flush=True)
    answer = sys.stdin.readline()
    if not answer.endswith("\n"):
        print(file=sys.stderr)  # nobody is there: that is a no
    return answer.strip().lower() in ("y", "yes", "예", "네")
