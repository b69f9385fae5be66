"""What the console does with the fleet, whatever the mode: deploy, launch, follow, draw, stop."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from tui.asking import Asking

if TYPE_CHECKING:
    from tui.engine import Engine
    from tui.operations import NodeCard, RunCard
    from tui.prompts import Questions
    from tui.view_state import View


@runtime_checkable
class Redrawn(Protocol):
    """A screen that shows the fleet."""

    def redraw(self) -> None:
        """Draw what the state is now."""


class Acting(Asking, inherit_bindings=False):
    """The app as the screens know it; :class:`tui.app.ConsoleApp` sets what it works with."""

    engine: Engine
    read_only: bool
    clock: Callable[[], float]
    questions: Questions
    #: The runs of the project, the newest first, as last read.
    history: Sequence[RunCard]
    #: Nodes marked by the person; operations act on them, or on all when none is.
    selection: frozenset[str]
    #: How each mode was left, by mode, and the mode that was shown last.
    views: dict[str, View]
    shown: str

    @property
    def cards(self) -> Sequence[NodeCard]:
        """The nodes as the inventory has them now."""
        return self.operations.nodes()

    def targets(self) -> list[str]:
        """Return the nodes to act on: the marked ones, else all."""
        names = list(self.engine.state.nodes)
        return [name for name in names if name in self.selection] or names

    def action_app_up(self) -> None:
        """Deploy to the marked nodes or all, then start a run and watch it."""
        names = self.targets()
        if not names:
            self.notify(self.texts("empty.short"), severity="warning")
            return
        operations = self.operations

        def go() -> None:
            before = self.engine.state.current
            if self.engine.run("up", lambda: operations.up(names)):
                self.switch_mode("deploy")
                self._follow_run(before)

        self.confirm(self.texts("confirm.up", count=len(names)), names, go, default=True)

    def deploy(self, names: Sequence[str]) -> None:
        """Deploy to nodes; in production after asking."""
        operations = self.operations

        def go() -> None:
            if not self.engine.run("deploy", lambda: operations.deploy(names)):
                self.notify(self.texts("deploy.busy"), severity="warning")

        if names:
            self.confirm_in_production(self.texts("confirm.deploy", count=len(names)), names, go)

    def launch(self, names: Sequence[str], question: str = "", *, resume: str = "") -> None:
        """Start a run on nodes after asking; ``resume`` as in :class:`tui.operations.Operations`."""
        operations = self.operations

        def go() -> None:
            before = self.engine.state.current
            if self.engine.run("launch", lambda: operations.launch(names, resume=resume)):
                self._follow_run(before)

        question = question or self.texts("confirm.launch", count=len(names))
        self.confirm(question, list(names), go, default=True)

    def attach(self, run: str) -> None:
        """Follow a run that was started before, and show it."""
        operations, before = self.operations, self.engine.state.current
        if self.engine.run("attach", lambda: operations.attach(run)):
            self._follow_run(before)

    def replay(self, run: str) -> None:
        """Show what was recorded of a run in the monitor."""
        if self.engine.state.runs.get(run) is None:
            self.engine.absorb(self.operations.recorded(run))
        else:
            self.engine.look_at(run)
        self.switch_mode("monitor")

    def draw_plan(self, run: str, text: str) -> str | None:
        """Draw a plan for a text by a run's network and show it; returns what is wrong with the text."""
        text, operations = text.strip(), self.operations
        if not text:
            return self.texts("draw.no_text")
        before = self.engine.state.drawn
        if not self.engine.run("sample", lambda: operations.sample(run, text)):
            return self.texts("draw.busy")

        def look() -> None:
            drawn = self.engine.state.drawn
            if drawn is not before and drawn is not None:
                from tui.screens.plan import PlanScreen

                timer.stop()
                self.push_screen(PlanScreen(drawn, self.texts))
            elif "sample" not in self.engine.running:
                timer.stop()

        timer = self.set_interval(0.2, look)
        return None

    def _follow_run(self, before: str) -> None:
        """Go to the monitor as soon as another run than ``before`` is planned."""

        def look() -> None:
            if self.engine.state.current != before:
                timer.stop()
                self.switch_mode("monitor")
            elif not self.engine.running & {"up", "launch", "attach"}:
                timer.stop()

        timer = self.set_interval(0.2, look)

    def action_app_stop(self) -> None:
        """End the run on all its nodes, after asking."""
        run, operations = self.engine.state.run, self.operations
        if run is None or not run.active:
            self.notify(self.texts("run.none_active"))
            return
        nodes = sorted({rank.node for rank in run.ranks.values()})
        question = self.texts("confirm.stop", run=run.id, ranks=len(run.ranks), count=len(nodes))
        followed = bool(self.engine.running & {"up", "launch", "attach"})
        self.confirm(
            question,
            nodes,
            lambda: self.engine.run("stop", lambda: operations.stop(run.id, followed=followed)),
        )

    def action_app_cancel(self) -> None:
        """Cancel what is under way; a run that has started goes on."""
        names = sorted(self.engine.running - {"watch"})
        if not names:
            self.notify(self.texts("cancel.nothing"))
            return
        question = self.texts("confirm.cancel", what=", ".join(names))
        self.confirm(question, [], lambda: [self.engine.cancel(name) for name in names])

    def read_history(self) -> None:
        """Read anew which runs there were."""
        self.history = self.operations.runs()
        self.redraw()

    def inventory_changed(self) -> None:
        """Show and watch what the inventory says now."""
        self.engine.follow_inventory()
        self.redraw()

    def redraw(self) -> None:
        """Draw the mode that is shown anew, below whatever lies over it."""
        shown = self.screen_stack[0]
        if isinstance(shown, Redrawn):
            shown.redraw()
