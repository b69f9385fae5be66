"""Which printer suits the place that a command prints to."""

from __future__ import annotations

from tui.cli.output import is_terminal
from tui.cli.printing import JsonPrinter, PlainPrinter, Printer
from tui.i18n import Texts


def make_printer(*, json: bool, texts: Texts, every_check: bool = False) -> Printer:
    """Return the printer for this terminal or pipe; JSON is always English."""
    if json:
        return JsonPrinter(texts)
    if is_terminal("stderr"):
        # Rich's progress bars are imported where there is a terminal for them.
        from tui.cli.live import LivePrinter

        return LivePrinter(every_check=every_check, texts=texts)
    return PlainPrinter(every_check=every_check, texts=texts)
