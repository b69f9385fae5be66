"""What one console works with, and what its screens have in common."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tui.i18n import Texts
    from tui.operations.interface import NodeCard, Operations, RunCard
    from tui.state.engine import Engine
    from tui.state.view_state import View


class Session:
    """One for each console: the app makes it, and everything that the app is composed of refers to it."""

    def __init__(
        self,
        operations: Operations,
        engine: Engine,
        *,
        texts: Texts,
        clock: Callable[[], float],
        read_only: bool,
        views: Mapping[str, View],
        mode: str,
    ) -> None:
        self.operations = operations
        self.engine = engine
        #: The texts in the chosen language.
        self.texts = texts
        self.clock = clock
        self.read_only = read_only
        #: Nodes that the user has marked; operations act on them, or on all when none is.
        self.selection: frozenset[str] = frozenset()
        #: The runs of the project, the newest first, as last read.
        self.history: Sequence[RunCard] = ()
        #: What each mode shows again at the next start, by mode.
        self.views: dict[str, View] = dict(views)
        #: The mode that was shown last.
        self.shown_mode = mode

    @property
    def cards(self) -> Sequence[NodeCard]:
        """The nodes as the inventory has them now."""
        return self.operations.nodes()

    def targets(self) -> list[str]:
        """Return the nodes to act on: the marked ones, else all."""
        names = list(self.engine.state.nodes)
        return [name for name in names if name in self.selection] or names

    def read_history(self) -> None:
        """Read the list of runs again."""
        self.history = self.operations.runs()
