"""Writes docs/keys.md from the action registry: ``python -m tui.keys_page > docs/keys.md``."""

from __future__ import annotations

import sys

from tui.actions import SCOPES, key_name, of_scope
from tui.i18n import Texts

_HEAD = """\
# Keys

Written by `python -m tui.keys_page > docs/keys.md` from `tui/actions.py`; a test compares the two.

Own keys: `keys.yaml` in `~/.config/dtui/` (Windows: `%APPDATA%\\dtui\\`), one line an action, such as
`app.up: f5`. Several keys are separated by commas, named as Textual names them (`ctrl+u`, `shift+tab`).
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
            keys = " ".join(f"`{key_name(key)}`" for key in action.keys)
            lines.append(f"| {keys} | `{action.id}` | {texts(f'help.{action.id}')} |")
        lines.append("")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.stdout.write(page())
