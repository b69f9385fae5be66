"""``dtui preflight --fix``: show each fix as the exact command, and ask."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from agent.wire.message import message
from fleet.terminal import spelled_out
from tui.cli.output import ask, err
from tui.i18n import Texts

if TYPE_CHECKING:
    from fleet.preflight.fixes import Fix


def asker(texts: Texts) -> Callable[[Fix], Awaitable[bool]]:
    """Return a function that asks at the terminal whether to apply a fix; only a clear yes counts."""

    async def agreed(fix: Fix) -> bool:
        return await asyncio.to_thread(_ask, fix, texts)

    return agreed


def _ask(fix: Fix, texts: Texts) -> bool:
    rights = (
        f" ({texts.translate(message('cli.fix-administrator', 'needs administrator rights'))})"
        if fix.needs_administrator
        else ""
    )
    steps = "\n".join(f"    {line}" for line in spelled_out(texts.translate(fix.shown)).split("\n"))
    agreed = texts.capitalized(message("cli.fix-ask", "run this?"))
    question = f"{fix.node}: {texts.translate(fix.what)}{rights}\n{steps}\n  {agreed} [y/N] "
    answer = ask(question)
    if not answer.endswith("\n"):
        err()  # the input has ended: that is a no
    return answer.strip().lower() in ("y", "yes", "예", "네")
