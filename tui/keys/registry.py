"""Every action of the console, by the scope that owns it.

The classes in :data:`OWNERS` declare the actions at their methods (:mod:`tui.keys.action`). A class is
imported when its actions are first asked for, so that the first frame waits only for what it shows.
"""

from __future__ import annotations

from functools import lru_cache
from importlib import import_module

from tui.keys.action import MODES, Action, declared_in

#: Scope -> the class whose methods are its actions, in the order in which help and docs list them.
OWNERS = {
    "app": "tui.app:ConsoleApp",
    **{mode: f"tui.screens.{mode}:{mode.capitalize()}Screen" for mode in MODES[:4]},
    "log": "tui.widgets.log_pane:LogPane",
    **{mode: f"tui.screens.{mode}:{mode.capitalize()}Screen" for mode in MODES[4:]},
    "chart": "tui.screens.chart:ChartScreen",
    "list": "tui.widgets.table:Table",
    "matrix": "tui.widgets.matrix:Matrix",
    "detail": "tui.screens.base:ModeScreen",
}
SCOPES = tuple(OWNERS)


@lru_cache
def of_scope(scope: str) -> tuple[Action, ...]:
    """Return the actions of one scope in the order of their declaration; none of an unknown scope."""
    if scope not in OWNERS:
        return ()
    module, name = OWNERS[scope].split(":")
    return tuple(declared_in(getattr(import_module(module), name)))


@lru_cache
def all_actions() -> tuple[Action, ...]:
    """Return every action, in the order of the scopes."""
    return tuple(one for scope in SCOPES for one in of_scope(scope))


def find(id_: str) -> Action | None:
    """Return the action with this id, None without one."""
    return next((one for one in of_scope(id_.partition(".")[0]) if one.id == id_), None)


def find_method(method: str) -> Action | None:
    """Return the action that the method ``action_METHOD`` carries out, None without one."""
    return next((one for one in of_scope(method.partition("_")[0]) if one.method == method), None)


_SHOWN = {
    "question_mark": "?", "colon": ":", "slash": "/", "ampersand": "&", "asterisk": "*", "space": "Space",
    "right_square_bracket": "]", "left_square_bracket": "[", "enter": "Enter", "escape": "Esc", "tab": "Tab",
    "shift+tab": "Shift+Tab", "up": "↑", "down": "↓", "left": "←", "right": "→", "pageup": "PgUp",
    "pagedown": "PgDn", "home": "Home", "end": "End", "exclamation_mark": "!",
    "shift+up": "Shift+↑", "shift+down": "Shift+↓", "plus": "+", "minus": "-", "equals_sign": "=",
}  # fmt: skip


def keys_of(action: Action) -> list[str]:
    """Return an action's keys as people write them; ``:node`` for what only the command line reaches."""
    return [key_name(key) for key in action.keys] or [f":{action.name}"]


def key_name(key: str) -> str:
    """Return a Textual key name as people write it: ``^p``, ``F2``, ``?``."""
    if key in _SHOWN:
        return _SHOWN[key]
    if key.startswith("ctrl+"):
        return f"^{key[5:]}"
    return key.upper() if len(key) > 1 and key[0] == "f" and key[1:].isdigit() else key
