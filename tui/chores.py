"""What the app does on a key, whatever the mode: go somewhere, act on the fleet, ask, leave."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from tui.actions import BY_ID
from tui.prompts import Question, Questions
from tui.theme import THEMES
from tui.type_ahead import TypeAhead

if TYPE_CHECKING:
    from tui.command_line import CommandLine
    from tui.engine import Engine
    from tui.i18n import Texts
    from tui.operations import NodeCard, Operations, RunCard
    from tui.screens.base import ModeScreen


class Chores(TypeAhead, inherit_bindings=False):
    """The app's actions; what they work with is set by :class:`tui.app.ConsoleApp`."""

    operations: Operations
    engine: Engine
    texts: Texts
    read_only: bool
    keymap: Mapping[str, str]
    history: Sequence[RunCard]
    questions: Questions
    #: Nodes marked by the person; operations act on them, or on all when none is.
    selection: frozenset[str]

    @property
    def cards(self) -> Sequence[NodeCard]:
        """The nodes as the inventory has them now."""
        return self.operations.nodes()

    @property
    def mode_screen(self) -> ModeScreen:
        """The screen of the current mode, below whatever lies over it."""
        from tui.screens.base import ModeScreen

        screen = self.screen_stack[0]
        assert isinstance(screen, ModeScreen)
        return screen

    def targets(self) -> list[str]:
        """Return the nodes to act on: the marked ones, else all."""
        names = list(self.engine.state.nodes)
        return [name for name in names if name in self.selection] or names

    def action_app_nodes(self) -> None:
        """Go to the nodes."""
        self.switch_mode("nodes")

    def action_app_preflight(self) -> None:
        """Go to the preflight."""
        self.switch_mode("preflight")

    def action_app_deploy(self) -> None:
        """Go to the deploy."""
        self.switch_mode("deploy")

    def action_app_monitor(self) -> None:
        """Go to the run."""
        self.switch_mode("monitor")

    def action_app_runs(self) -> None:
        """Go to the history of runs."""
        self.switch_mode("runs")

    def action_app_config(self) -> None:
        """Go to the configuration."""
        self.switch_mode("config")

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

    def action_app_chart(self) -> None:
        """Show the load over time: of the run that the mode is about, else of now."""
        from tui.charted import Charted
        from tui.screens.chart import ChartScreen

        run, node = self.mode_screen.charted()
        state = self.engine.state
        known = state.runs.get(run)
        live = not run or (known is not None and known.active)
        names = dict.fromkeys(self.operations.sampled(run) if run else ())
        names |= dict.fromkeys(name for name in state.nodes if live and state.nodes[name].sampled is not None)
        node = node if node in names else ""
        self.push_screen(ChartScreen(self, Charted(run, live, node), list(names)))  # type: ignore[arg-type]

    def action_app_notices(self) -> None:
        """Show what has been told so far."""
        from tui.screens.notices import NoticesScreen

        self.push_screen(NoticesScreen(self.engine.state.notices, self.texts))

    def action_app_help(self) -> None:
        """Show every key that works here."""
        from tui.screens.help import HelpScreen

        self.push_screen(HelpScreen(self.mode_screen.mode, self.texts, self.keys_in_use()))

    def keys_in_use(self) -> dict[str, str]:
        """Return the keys of actions that the person's keymap has changed."""
        return {name: keys for name, keys in self.keymap.items() if name in BY_ID}

    def action_app_palette(self) -> None:
        """Look for anything by name."""
        self.action_command_palette()

    def action_app_command(self) -> None:
        """Type a command: any action of any mode, a node, a run."""
        self.command_line.ask()

    @property
    def command_line(self) -> CommandLine:
        """Carries out any action from any mode."""
        from tui.app import ConsoleApp
        from tui.command_line import CommandLine

        assert isinstance(self, ConsoleApp)
        return CommandLine(self)

    def action_app_node(self, name: str) -> None:
        """Go to a node in the list of nodes."""
        self.go_to("nodes", name)

    def action_app_run(self, run: str) -> None:
        """Show a run in the monitor: live when it goes on, else as it was recorded."""
        card = next((card for card in self.history if card.run == run), None)
        if card is not None and not card.outcome and run not in self.engine.state.runs:
            self.attach(run)
        else:
            self.replay(run)

    def go_to(self, mode: str, item: str) -> None:
        """Go to a mode and put its cursor on an item."""
        self.switch_mode(mode)
        self.call_after_refresh(lambda: self.mode_screen.show_item(item))

    def action_app_theme(self, name: str = "") -> None:
        """Use the next of the console's themes, or the one named."""
        if name:
            self.theme = name
            return
        names = [theme.name for theme in THEMES]
        position = names.index(self.theme) if self.theme in names else -1
        self.theme = names[(position + 1) % len(names)]
        self.notify(self.theme, timeout=2)

    async def action_app_quit(self) -> None:
        """Leave; a run goes on, and this says so."""
        run = self.engine.state.run
        busy = sorted(self.engine.running & {"up", "deploy", "launch", "mend"})
        if run is not None and run.active and any(rank.pid for rank in run.ranks.values()):
            nodes = sorted({rank.node for rank in run.ranks.values()})
            self.confirm(
                self.texts("confirm.quit_run", run=run.id), nodes, self.exit, default=True, writes=False
            )
        elif busy:
            self.confirm(self.texts("confirm.quit_busy", what=", ".join(busy)), [], self.exit)
        else:
            self.exit()

    def confirm(
        self,
        question: str,
        names: Sequence[str],
        go: Callable[[], object],
        *,
        default: bool = False,
        writes: bool = True,
    ) -> None:
        """Ask before ``go``; No is the default for what destroys, in production for all that ``writes``."""
        from tui.screens.confirm import ConfirmScreen

        def answered(yes: bool | None) -> None:
            if yes:
                go()

        production = self.operations.production and writes
        screen = ConfirmScreen(
            question, names, self.texts, default=default and not production, production=production
        )
        self.push_screen(screen, answered)

    def confirm_in_production(self, question: str, names: Sequence[str], go: Callable[[], object]) -> None:
        """Ask before ``go`` where machines in production are concerned; elsewhere do it at once."""
        if self.operations.production:
            self.confirm(question, names, go)
        else:
            go()

    def ask_person(self, question: Question) -> None:
        """Ask for a password, whether a host key is to be trusted, or whether a fix is wanted."""
        from tui.screens.confirm import ConfirmScreen
        from tui.screens.form import Field, FormScreen

        if question.key is not None:
            key = question.key
            text = self.texts("ask.host_key", host=f"{key.host}:{key.port}", algorithm=key.algorithm)

            def trusted(yes: bool | None) -> None:
                question.answer(bool(yes))

            self.push_screen(ConfirmScreen(text, [key.fingerprint], self.texts), trusted)
            return
        if question.fix is not None:
            from tui.screens.confirm_fix import ConfirmFixScreen

            fix = question.fix
            text = "preflight.ask_fix_admin" if fix.needs_administrator else "preflight.ask_fix"

            def wanted(yes: bool | None) -> None:
                question.answer(bool(yes))

            asked = self.texts(text, node=fix.node, what=self.texts.said(fix.what))
            production = self.operations.production
            self.push_screen(
                ConfirmFixScreen(asked, self.texts.said(fix.shown), self.texts, production=production), wanted
            )
            return

        def save(values: dict[str, str]) -> None:
            question.answer(values["secret"])

        title = self.texts("ask.password", endpoint=question.endpoint or "")
        field = Field("secret", self.texts.said(question.reason), secret=True)
        self.push_screen(FormScreen(title, [field], save, self.texts, give_up=lambda: question.answer(None)))

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Hide what writes when the console is read-only, and what makes no sense now."""
        run = self.engine.state.run
        if action == "app_up" and not self.engine.state.nodes:
            return False
        if action in ("app_stop", "app_up") and (run is not None and run.active) == (action == "app_up"):
            return False
        declared = next((found for found in BY_ID.values() if found.method == action), None)
        return not (declared is not None and declared.writes and self.read_only)
