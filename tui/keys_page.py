"""Writes docs/keys.md from the action registry: ``python -m tui.keys_page > docs/keys.md``."""

from __future__ import annotations

import sys

from tui.actions import SCOPES, keys_of, of_scope
from tui.i18n import Texts

_HEAD = """\
# Keys

Written by `python -m tui.keys_page > docs/keys.md` from `tui/actions.py`; a test compares the two.

Own keys: `keys.yaml` in `~/.config/dtui/` (Windows: `%APPDATA%\\dtui\\`), one line an action, such as
`app.up: f5`. Several keys are separated by commas, named as Textual names them (`ctrl+u`, `shift+tab`).

`:` takes any action below by its name, in any mode, and goes where it belongs first: `:preflight start` (or
`:preflight.start`), `:nodes filter gpu`, `:stop`, `:theme dtui-day`, `:node gpu1`. In its own mode a name
alone is enough. Tab completes. Only moving in lists is left to keys.
"""


def page() -> str:
    """Return the page."""
    texts = Texts("en")
    lines = [_HEAD]
    for scope in SCOPES:
        lines += [
            f"## {texts(f'help.scope.{scope}')}",
            "",
            "| key | action | what it does |",
            "|---|---|---|",
        ]
        for action in of_scope(scope):
            keys = " ".join(f"`{key}`" for key in keys_of(action))
            lines.append(f"| {keys} | `{action.id}` | {texts(f'help.{action.id}')} |")
        lines.append("")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.stdout.write(page())
