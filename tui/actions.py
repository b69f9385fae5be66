"""Every action of the console, declared once.

Key bindings, the key bar, the help screen, the command palette and ``docs/keys.md`` all come from this list.
An action ``scope.name`` is carried out by the method ``action_scope_name`` of the widget, screen or app that
owns the scope; its texts are ``action.scope.name`` (label) and ``help.scope.name`` in the catalogues.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fleet.frozen import frozen

if TYPE_CHECKING:
    from textual.binding import BindingType

#: The scopes in the order in which help and docs list them.
SCOPES = (
    "app",
    "nodes",
    "preflight",
    "deploy",
    "monitor",
    "log",
    "runs",
    "config",
    "chart",
    "list",
    "matrix",
    "detail",
)
MODES = ("nodes", "preflight", "deploy", "monitor", "runs", "config")


@frozen
class Action:
    """One thing that a person can do; ``keys`` are Textual key names, the first is the one shown.

    One without keys is for the command line only, and needs what it ``takes`` there.
    """

    id: str
    keys: tuple[str, ...]
    #: Place in the key bar from the left (0: not there). On a narrow terminal high numbers below 70 go first.
    bar: int = 0
    palette: bool = True
    #: It changes something on nodes or in files: not there in ``--read-only``.
    writes: bool = False
    #: It also works while a text field has the focus.
    priority: bool = False
    #: What may follow it on the command line: ``text``, or a kind that :mod:`tui.choices` has values of.
    takes: str = ""

    @property
    def scope(self) -> str:
        """Where it works."""
        return self.id.split(".")[0]

    @property
    def method(self) -> str:
        """The part of its method's name after ``action_``."""
        return self.id.replace(".", "_")

    @property
    def name(self) -> str:
        """Its name within the scope."""
        return self.id.partition(".")[2]

    @property
    def mode(self) -> str:
        """The mode that it belongs to; empty for the app's, and for those of lists in any mode."""
        return self.scope if self.scope in MODES else "monitor" if self.scope == "log" else ""


ACTIONS: tuple[Action, ...] = (
    Action("app.nodes", ("1",)),
    Action("app.preflight", ("2",)),
    Action("app.deploy", ("3",)),
    Action("app.monitor", ("4",)),
    Action("app.runs", ("5",)),
    Action("app.config", ("6",)),
    Action("app.up", ("u",), bar=2, writes=True),
    Action("app.stop", ("X",), bar=70, writes=True),
    Action("app.cancel", ("ctrl+x",), writes=True),
    Action("app.chart", ("L",), bar=60),
    Action("app.notices", ("!",)),
    Action("app.help", ("question_mark",), bar=90),
    Action("app.palette", ("ctrl+p",), bar=80, palette=False),
    Action("app.command", ("colon",), palette=False),
    Action("app.theme", ("f9",), takes="theme"),
    Action("app.language", ("f8",), takes="language"),
    Action("app.node", (), palette=False, takes="node"),
    Action("app.run", (), palette=False, takes="run"),
    Action("app.quit", ("q", "ctrl+q"), bar=91),

    Action("nodes.filter", ("slash",), bar=11, takes="text"),
    Action("nodes.sort", ("s",), bar=12, takes="sort"),
    Action("nodes.columns", ("c",)),
    Action("nodes.test", ("t",), bar=13),
    Action("nodes.add", ("a",), bar=14, writes=True),
    Action("nodes.edit", ("e",), writes=True),
    Action("nodes.import", ("i",), writes=True),
    Action("nodes.remove", ("D",), writes=True),
    Action("nodes.details", ("v",), bar=15),

    Action("preflight.start", ("p",), bar=10),
    Action("preflight.cell", ("r",), bar=11),
    Action("preflight.row", ("R",)),
    Action("preflight.column", ("C",)),
    Action("preflight.failures", ("f",), bar=12),
    Action("preflight.ways", ("w",), bar=13),
    Action("preflight.fix", ("m",), bar=14, writes=True),
    Action("preflight.fix_all", ("M",), writes=True),
    Action("preflight.export", ("o",)),

    Action("deploy.start", ("d",), bar=10, writes=True),
    Action("deploy.plan", ("p",), bar=11),
    Action("deploy.retry", ("r",), bar=12, writes=True),
    Action("deploy.launch", ("l",), bar=13, writes=True),

    Action("monitor.tiling", ("t",), bar=12, takes="tiling"),
    Action("monitor.zoom", ("z",), bar=13),
    Action("monitor.merged", ("m",), bar=14),
    Action("monitor.fold", ("o",)),
    Action("monitor.panel", ("v",), bar=20),
    Action("monitor.next_pane", ("tab",), palette=False),
    Action("monitor.previous_pane", ("shift+tab",), palette=False),
    Action("monitor.pick", ("p",), takes="text"),
    Action("monitor.draw", ("d",), writes=True, takes="text"),
    Action("monitor.next_ranks", ("right_square_bracket",)),
    Action("monitor.previous_ranks", ("left_square_bracket",)),

    Action("log.follow", ("space", "f"), bar=10),
    Action("log.search", ("slash",), bar=11, takes="text"),
    Action("log.filter", ("ampersand",), bar=17, takes="text"),
    Action("log.context", ("c",)),
    Action("log.next_match", ("n",)),
    Action("log.previous_match", ("N",)),
    Action("log.next_error", ("e",), bar=15),
    Action("log.previous_error", ("E",)),
    Action("log.wrap", ("w",), bar=18),
    Action("log.times", ("T",)),
    Action("log.copy", ("y",)),
    Action("log.save", ("s",)),
    Action("log.clear", ("escape",), palette=False),
    Action("log.up", ("up", "k"), palette=False),
    Action("log.down", ("down", "j"), palette=False),
    Action("log.page_up", ("pageup", "ctrl+b"), palette=False),
    Action("log.page_down", ("pagedown", "ctrl+f"), palette=False),
    Action("log.left", ("left", "h"), palette=False),
    Action("log.right", ("right", "l"), palette=False),
    Action("log.top", ("home", "g"), palette=False),
    Action("log.bottom", ("end", "G"), palette=False),

    Action("runs.compare", ("c",), bar=11),
    Action("runs.replay", ("p",), bar=12),
    Action("runs.attach", ("w",), bar=13),
    Action("runs.restart", ("R",), bar=15, writes=True),
    Action("runs.draw", ("d",), writes=True, takes="text"),
    Action("runs.export", ("o",), bar=14),

    Action("config.nodes", ("f2",), bar=11),
    Action("config.training", ("f3",), bar=12),
    Action("config.save", ("ctrl+s",), bar=10, writes=True, priority=True),
    Action("config.wandb", ("f4",), bar=13, writes=True),
    Action("config.edit", ("enter", "e"), bar=9),
    Action("config.leave", ("escape",), bar=16, palette=False),

    Action("chart.metric", ("m",), bar=10, palette=False),
    Action("chart.previous_metric", ("M",), palette=False),
    Action("chart.zoom_in", ("plus", "equals_sign"), bar=11, palette=False),
    Action("chart.zoom_out", ("minus",), bar=12, palette=False),
    Action("chart.earlier", ("left", "h"), bar=13, palette=False),
    Action("chart.later", ("right", "l"), bar=14, palette=False),
    Action("chart.follow", ("f",), bar=15, palette=False),
    Action("chart.whole", ("a",), bar=16, palette=False),
    Action("chart.back", ("escape", "q", "L"), bar=91, palette=False),

    Action("list.up", ("up", "k"), palette=False),
    Action("list.down", ("down", "j"), palette=False),
    Action("list.page_up", ("pageup", "ctrl+b"), palette=False),
    Action("list.page_down", ("pagedown", "ctrl+f"), palette=False),
    Action("list.top", ("home", "g"), palette=False),
    Action("list.bottom", ("end", "G"), palette=False),
    Action("list.open", ("enter",), palette=False),
    Action("list.mark", ("space",), palette=False),
    Action("list.mark_all", ("asterisk",), palette=False),

    Action("matrix.left", ("left", "h"), palette=False),
    Action("matrix.right", ("right", "l"), palette=False),

    Action("detail.down", ("J", "shift+down"), palette=False),
    Action("detail.up", ("K", "shift+up"), palette=False),
    Action("detail.page_down", ("ctrl+d",), palette=False),
    Action("detail.page_up", ("ctrl+u",), palette=False),
)  # fmt: skip

BY_ID = {action.id: action for action in ACTIONS}


def of_scope(scope: str) -> list[Action]:
    """Return the actions of one scope in the order of their declaration."""
    return [action for action in ACTIONS if action.scope == scope]


def bindings(scope: str) -> list[BindingType]:
    """Return the Textual bindings of a scope; a user's keymap changes them by the action's id."""
    from textual.binding import Binding

    return [
        Binding(",".join(one.keys), one.method, one.id, id=one.id, show=False, priority=one.priority)
        for one in of_scope(scope)
        if one.keys
    ]


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
