"""The stacks of all ranks of a run, over the mode."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType

from tui.operations.operation import Operation
from tui.rendering.spans import Spans
from tui.screens.help import HelpScreen
from tui.state.session import Session
from tui.views.stacks import page
from tui.widgets.lines import Lines
from tui.widgets.plain import set_titles


class StacksScreen(HelpScreen):
    """Reads the stacks when it opens and when the user asks; the earlier ones stay until then."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("r", "read", show=False)]

    DEFAULT_CSS = """
    StacksScreen { align: center middle; background: $background 60%; }
    StacksScreen Lines { width: 96%; }
    """

    def __init__(self, session: Session, run: str, read: Callable[[], object]) -> None:
        super().__init__("monitor", session.texts, {})
        self._session = session
        self._run = run
        self._read = read
        self._earlier = session.engine.state.stacks
        self._is_gone = False

    def compose(self) -> ComposeResult:
        """Lay out the one panel."""
        panel = Lines()
        set_titles(panel, self._texts("stacks.title", run=self._run), self._texts("stacks.keys"))
        yield panel

    def on_mount(self) -> None:
        """Read the stacks; they are drawn as they arrive, once the size of the panel is known."""
        self.action_read()

    def on_resize(self) -> None:
        """Draw for the new size."""
        self.call_after_refresh(self.redraw)

    def action_read(self) -> None:
        """Read the stacks once more."""
        engine = self._session.engine
        if Operation.STACKS not in engine.running:
            self._earlier = engine.state.stacks
            self._read()
        self.call_after_refresh(self.redraw)

    def on_unmount(self) -> None:
        """Nothing is drawn any more."""
        self._is_gone = True

    def follow(self) -> bool:
        """Draw what has changed; return whether the screen is closed."""
        self.redraw()
        return self._is_gone

    def redraw(self) -> None:
        """Draw what has been read."""
        if self.is_attached and not self._is_gone:
            panel = self.query_one(Lines)
            panel.show(self.lines(max(40, panel.room)))

    def lines(self, width: int) -> list[Spans]:
        """Return the heading, the errors and the stacks."""
        engine = self._session.engine
        # Not the state first: the last answer may come between the two.
        reading, state = Operation.STACKS in engine.running, engine.state
        run = state.runs.get(self._run)
        shown = {
            node: one
            for node, one in state.stacks.items()
            if one.run == self._run and (reading or one is not self._earlier.get(node))
        }
        return page(shown, self._texts, width, ended=run is not None and not run.active, reading=reading)
