"""The console's actions on the fleet, in all modes: deploy, launch, follow, draw, stop."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from tui.operations.operation import Operation, Requirement

if TYPE_CHECKING:
    from textual.app import App

    from fleet.events import Event
    from tui.dialogs.dialogs import Dialogs
    from tui.dialogs.questions import Questions
    from tui.navigation.navigation import Navigation
    from tui.state.session import Session


class FleetActions:
    """Asks where that is needed, starts the operation, and shows the mode that follows it."""

    def __init__(
        self,
        app: App[None],
        session: Session,
        *,
        navigation: Navigation,
        dialogs: Dialogs,
        questions: Questions,
    ) -> None:
        self._app = app
        self._session = session
        self._navigation = navigation
        self._dialogs = dialogs
        self._questions = questions
        self._engine = session.engine
        self._operations = session.operations
        #: What is waited for after each change of the state; each returns whether it is done.
        self._waiting: list[Callable[[], bool]] = []

    def state_changed(self) -> None:
        """Show what has been waited for: the run that was planned, the plan that was drawn."""
        self._waiting = [wait for wait in self._waiting if not wait()]

    def _is_possible(self, operation: Operation) -> bool:
        """Return whether what the operation requires holds; shows what does not."""
        unmet, texts = operation.rule.unmet(self._engine.state), self._session.texts
        if unmet is Requirement.NODES:
            self._app.notify(texts("empty.short"), severity="warning")
        elif unmet is Requirement.ACTIVE_RUN:
            self._app.notify(texts("run.none_active"))
        return unmet is None

    def _is_following(self) -> bool:
        """Return whether a stream that follows a run is open."""
        return any(one.rule.follows_run for one in self._engine.running)

    def probe(self, names: Sequence[str]) -> None:
        """Connect to nodes and read their facts again."""
        if self._is_possible(Operation.PROBE):
            self._engine.run(Operation.PROBE, lambda: self._operations.probe(names))

    def preflight(self, nodes: Sequence[str], checks: Sequence[str]) -> None:
        """Check nodes; no checks are all."""
        if nodes:
            self._check(Operation.PREFLIGHT, lambda: self._operations.preflight(nodes, checks))

    def fix(self, failed: Mapping[str, Sequence[str]]) -> None:
        """Fix what checks found (node -> names of checks), after asking for each fix."""
        if not any(failed.values()):
            self._app.notify(self._session.texts("preflight.nothing_to_fix"))
            return
        self._check(Operation.FIX, lambda: self._operations.fix(failed, self._questions.agreed))

    def _check(self, operation: Operation, stream: Callable[[], AsyncIterator[Event]]) -> None:
        if self._is_possible(operation) and not self._engine.run(operation, stream):
            self._app.notify(self._session.texts("preflight.busy"), severity="warning")

    def plan_deploy(self, names: Sequence[str]) -> None:
        """Show what a deploy to nodes would change, and what would start."""
        if self._is_possible(Operation.PLAN):
            self._engine.run(Operation.PLAN, lambda: self._operations.deploy(names, dry_run=True))

    def deploy(self, names: Sequence[str]) -> None:
        """Deploy to nodes; in production after asking."""
        texts = self._session.texts

        def start() -> None:
            if not self._engine.run(Operation.DEPLOY, lambda: self._operations.deploy(names)):
                self._app.notify(texts("deploy.busy"), severity="warning")

        if self._is_possible(Operation.DEPLOY):
            question = texts("confirm.deploy", count=len(names))
            self._dialogs.confirm_in_production(question, names, start)

    def up(self) -> None:
        """Deploy to the marked nodes or all, then start a run and watch it."""
        names, texts = self._session.targets(), self._session.texts
        if not self._is_possible(Operation.UP):
            return

        def start() -> None:
            before = self._engine.state.current
            if self._engine.run(Operation.UP, lambda: self._operations.up(names)):
                self._navigation.show_mode("deploy")
                self._follow_run(before)

        self._dialogs.confirm(texts("confirm.up", count=len(names)), names, start, default=True)

    def launch(self, names: Sequence[str], question: str = "", *, resume: str = "") -> None:
        """Start a run on nodes after asking; ``resume`` as in ``Operations.launch``."""

        def start() -> None:
            before = self._engine.state.current
            if self._engine.run(Operation.LAUNCH, lambda: self._operations.launch(names, resume=resume)):
                self._follow_run(before)

        if not self._is_possible(Operation.LAUNCH):
            return
        question = question or self._session.texts("confirm.launch", count=len(names))
        self._dialogs.confirm(question, list(names), start, default=True)

    def attach(self, run: str) -> None:
        """Follow a run that was started before, and show it."""
        before = self._engine.state.current
        if self._engine.run(Operation.ATTACH, lambda: self._operations.attach(run)):
            self._follow_run(before)

    def replay(self, run: str) -> None:
        """Show what was recorded of a run in the monitor."""
        if self._engine.state.runs.get(run) is None:
            self._engine.absorb(self._operations.recorded(run))
        else:
            self._engine.look_at(run)
        self._navigation.show_mode("monitor")

    def show_run(self, run: str) -> None:
        """Show a run in the monitor: live while it runs, else its recording."""
        card = next((card for card in self._session.history if card.run == run), None)
        if card is not None and not card.outcome and run not in self._engine.state.runs:
            self.attach(run)
        else:
            self.replay(run)

    def attach_to_newest(self) -> None:
        """Follow the newest run of the project if it still runs."""
        for run in self._session.history[:1]:
            if not run.outcome and run.run not in self._engine.state.runs:
                self.attach(run.run)

    def draw_plan(self, run: str, text: str) -> str | None:
        """Draw a plan for a text by a run's network and show it; returns what is wrong with the text."""
        text = text.strip()
        if not text:
            return self._session.texts("draw.no_text")
        before = self._engine.state.drawn
        if not self._engine.run(Operation.SAMPLE, lambda: self._operations.sample(run, text)):
            return self._session.texts("draw.busy")

        def is_done() -> bool:
            active, plan = Operation.SAMPLE in self._engine.running, self._engine.state.drawn
            if plan is None or plan is before:
                return not active
            self._dialogs.show_plan(plan)
            return True

        self._waiting.append(is_done)
        return None

    def read_stacks(self, run: str) -> None:
        """Read the Python stacks of a run's ranks into the state."""
        self._engine.run(Operation.STACKS, lambda: self._operations.stacks(run))

    def after_changes(self, is_done: Callable[[], bool]) -> None:
        """Call ``is_done`` after each change of the state until it returns True."""
        self._waiting.append(is_done)

    def _follow_run(self, before: str) -> None:
        """Go to the monitor as soon as another run than ``before`` is planned."""

        def is_done() -> bool:
            following = self._is_following()
            if self._engine.state.current == before:
                return not following
            self._navigation.show_mode("monitor")
            return True

        self._waiting.append(is_done)

    def stop(self) -> None:
        """End the run on all its nodes, after asking."""
        run, texts = self._engine.state.run, self._session.texts
        if not self._is_possible(Operation.STOP) or run is None:
            return
        nodes = sorted({rank.node for rank in run.ranks.values()})
        question = texts("confirm.stop", run=run.id, ranks=len(run.ranks), count=len(nodes))
        followed = self._is_following()

        def start() -> None:
            self._engine.run(Operation.STOP, lambda: self._operations.stop(run.id, followed=followed))

        self._dialogs.confirm(question, nodes, start)

    def cancel(self) -> None:
        """Cancel active operations; a run that has started keeps running."""
        active = sorted(one for one in self._engine.running if not one.rule.background)
        texts = self._session.texts
        if not active:
            self._app.notify(texts("cancel.nothing"))
            return
        question = texts("confirm.cancel", what=", ".join(active))
        self._dialogs.confirm(question, [], lambda: [self._engine.cancel(one) for one in active])

    def leave(self, leave: Callable[[], object]) -> None:
        """Quit the console; asks first while a run or an operation is active."""
        run, texts = self._engine.state.run, self._session.texts
        busy = sorted(one for one in self._engine.running if one.rule.needs_console)
        if run is not None and run.active and any(rank.pid for rank in run.ranks.values()):
            nodes = sorted({rank.node for rank in run.ranks.values()})
            question = texts("confirm.quit_run", run=run.id)
            self._dialogs.confirm(question, nodes, leave, default=True, writes=False)
        elif busy:
            self._dialogs.confirm(texts("confirm.quit_busy", what=", ".join(busy)), [], leave)
        else:
            leave()
