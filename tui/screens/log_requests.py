"""Requests of log panes to their screen: a search, a filter, a copy, a file, an error in another pane."""

from __future__ import annotations

from pathlib import Path

from agent.wire.message import Message
from fleet.logbook import ERRORS, Matcher, PatternError, matcher
from tui.screens.base import ModeScreen
from tui.widgets.log_pane import LogPane
from tui.widgets.prompt import Prompt
from tui.widgets.tiles import Tiles


class LogRequests:
    """Answers the panes of one screen."""

    def __init__(self, screen: ModeScreen) -> None:
        self._screen = screen

    @property
    def _tiles(self) -> Tiles:
        return self._screen.query_one(Tiles)

    @property
    def _prompt(self) -> Prompt:
        return self._screen.query_one(Prompt)

    def answer(self, event: LogPane.Requested, run: str) -> None:
        """Answer a pane of a run."""
        pane, texts = event.pane, self._screen.texts
        if event.what == "options":
            self._tiles.dress(pane.options)
        elif event.typed:
            search = event.what == "search"
            fault = self._search(pane, event.typed) if search else self._filter(event.typed)
            self._screen.show_fault(fault)
        elif event.what == "search":
            typed = pane.search.typed if pane.search else ""
            self._prompt.ask(texts("monitor.ask_search"), typed, lambda text: self._search(pane, text))
        elif event.what == "filter":
            typed = self._tiles.filter.typed if self._tiles.filter else ""
            self._prompt.ask(texts("monitor.ask_filter"), typed, self._filter)
        elif event.what == "context":
            if self._tiles.filter is None:
                self._screen.notify(texts("monitor.no_filter"))
                return
            self._tiles.widen()
            self._screen.redraw()
        elif event.what == "clear":
            self._tiles.filter = None
            self._screen.redraw()
        elif event.what == "copy":
            text = "\n".join(line.text for line in pane.in_view())
            self._screen.app.copy_to_clipboard(text)
            self._screen.notify(texts("monitor.copied", count=text.count("\n") + 1))
        elif event.what == "save":
            name = f"{run}-{pane.label}.log"
            self._prompt.ask(texts("monitor.ask_save"), name, lambda path: self._save(pane, path))

    def seek_elsewhere(self, event: LogPane.NotFound) -> None:
        """Search the other panes for an error, then ranks that are not shown."""
        forward = event.what == "next"
        panes = self._tiles.panes
        start = next(i for i, pane in enumerate(panes) if pane is event.pane)
        others = [*panes[start + 1 :], *panes[:start]]
        for pane in others if forward else reversed(others):
            if pane.seek_from_edge(ERRORS, forward):
                self._tiles.focus_pane(pane)
                return
        rank = self._tiles.hidden_rank_with(ERRORS)
        if rank is not None:
            self._tiles.bring(rank)
            self._screen.redraw()
            pane = next(pane for pane in self._tiles.panes if pane.rank == rank)
            pane.seek_from_edge(ERRORS, forward)
            self._tiles.focus_pane(pane)
            return
        if not event.pane.seek_from_edge(ERRORS, forward):
            self._screen.notify(self._screen.texts("monitor.no_error"))

    def _search(self, pane: LogPane, text: str) -> str | None:
        if not text:
            pane.search = None
            return None
        found = _matcher(text)
        if isinstance(found, Message):
            return self._screen.texts.translate(found)
        for other in self._tiles.panes:
            other.search = found
        # In a live log the newest error matters most: search backwards from the end.
        if not pane.seek(found, forward=False) and not pane.seek(found, forward=True):
            return self._screen.texts("monitor.not_found")
        return None

    def _filter(self, text: str) -> str | None:
        found = _matcher(text) if text else None
        if isinstance(found, Message):
            return self._screen.texts.translate(found)
        self._tiles.filter = found
        self._screen.redraw()
        return None

    def _save(self, pane: LogPane, name: str) -> str | None:
        lines = pane.source.read(pane.source.first, pane.source.end)
        return self._screen.write_new(Path(name), "".join(f"{line.text}\n" for line in lines))


def _matcher(text: str) -> Matcher | Message:
    try:
        return matcher(text)
    except PatternError as error:
        return error.what
