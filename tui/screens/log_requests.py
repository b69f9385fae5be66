"""What log panes ask of their screen: a search, a filter, a copy, a file, an error in another pane."""

from __future__ import annotations

from pathlib import Path

from fleet.logbook import ERRORS, Matcher, PatternError, matcher
from tui.screens.base import ModeScreen
from tui.widgets.log_pane import LogPane
from tui.widgets.prompt import Prompt
from tui.widgets.tiles import Tiles


class LogRequests(ModeScreen):
    """The part of the monitor that answers its panes."""

    shown_run = ""

    @property
    def tiles(self) -> Tiles:
        """The log panes."""
        return self.query_one(Tiles)

    @property
    def prompt(self) -> Prompt:
        """The line to type in."""
        return self.query_one(Prompt)

    def on_log_pane_asked(self, event: LogPane.Asked) -> None:
        """Answer a pane."""
        if isinstance(event, LogPane.Sought):
            return
        pane = event.pane
        if event.what == "look":
            self.tiles.dress(pane.look)
        elif event.typed:
            typed = event.typed
            self.tell_fault(self._search(pane, typed) if event.what == "search" else self._filter(typed))
        elif event.what == "search":
            typed = pane.search.typed if pane.search else ""
            self.prompt.ask(self.texts("monitor.ask_search"), typed, lambda text: self._search(pane, text))
        elif event.what == "filter":
            typed = self.tiles.filter.typed if self.tiles.filter else ""
            self.prompt.ask(self.texts("monitor.ask_filter"), typed, self._filter)
        elif event.what == "context":
            if self.tiles.filter is None:
                self.notify(self.texts("monitor.no_filter"))
                return
            self.tiles.widen()
            self.redraw()
        elif event.what == "clear":
            self.tiles.filter = None
            self.redraw()
        elif event.what == "copy":
            text = "\n".join(line.text for line in pane.in_view())
            self.app.copy_to_clipboard(text)
            self.notify(self.texts("monitor.copied", count=text.count("\n") + 1))
        elif event.what == "save":
            name = f"{self.shown_run}-{pane.label}.log"
            self.prompt.ask(self.texts("monitor.ask_save"), name, lambda path: self._save(pane, path))

    def on_log_pane_sought(self, event: LogPane.Sought) -> None:
        """Look for an error in the other panes, then in ranks that are not shown."""
        forward = event.what == "next"
        panes = self.tiles.panes
        start = next(i for i, pane in enumerate(panes) if pane is event.pane)
        others = [*panes[start + 1 :], *panes[:start]]
        for pane in others if forward else reversed(others):
            if pane.seek_from_edge(ERRORS, forward):
                self.tiles.focus_pane(pane)
                return
        rank = self.tiles.hidden_rank_with(ERRORS)
        if rank is not None:
            self.tiles.bring(rank)
            self.redraw()
            pane = next(pane for pane in self.tiles.panes if pane.rank == rank)
            pane.seek_from_edge(ERRORS, forward)
            self.tiles.focus_pane(pane)
            return
        if not event.pane.seek_from_edge(ERRORS, forward):
            self.notify(self.texts("monitor.no_error"))

    def _search(self, pane: LogPane, text: str) -> str | None:
        if not text:
            pane.search = None
            return None
        found = _matcher(text)
        if isinstance(found, str):
            return self.texts.said(found)
        for other in self.tiles.panes:
            other.search = found
        # What is newest is what a reader of a live log wants first: look backwards from the end.
        if not pane.seek(found, forward=False) and not pane.seek(found, forward=True):
            return self.texts("monitor.not_found")
        return None

    def _filter(self, text: str) -> str | None:
        found = _matcher(text) if text else None
        if isinstance(found, str):
            return self.texts.said(found)
        self.tiles.filter = found
        self.redraw()
        return None

    def _save(self, pane: LogPane, name: str) -> str | None:
        lines = pane.source.read(pane.source.first, pane.source.end)
        return self.write_new(Path(name), "".join(f"{line.text}\n" for line in lines))


def _matcher(text: str) -> Matcher | str:
    try:
        return matcher(text)
    except PatternError as error:
        return str(error)
