"""Log panes in a grid: which ranks they show, merged or apart, filtered or whole."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from textual.containers import Container

from fleet.logbook import FoldedSource, Logbook, Matcher, MatchIndex, MatchSource, MergedSource, Source
from fleet.nodeset import fold_in_order
from fleet.state import RunState
from tui.i18n import Texts
from tui.rendering.spans import Span
from tui.rendering.status import mark
from tui.views.run import RANK, phase
from tui.widgets.log_lines import LineOptions, rank_set
from tui.widgets.log_pane import LogPane as Pane

#: Numbers of panes, and the columns that each is laid out in.
TILINGS = (1, 2, 4, 6, 9)
NARROWEST = 56
#: Minimum width at which a merged line names its nodes in addition to its ranks, and the cells for them.
ROOMY, NAMED = 64, 16
#: Numbers of lines around each that a filter lets through.
CONTEXTS = (0, 2, 5, 10)
_COLUMNS = {1: 1, 2: 1, 4: 2, 6: 2, 9: 3}


class RankPane(Pane):
    """A pane of one rank, or of several merged (``rank`` None)."""

    def __init__(self, source: Source, rank: int | None, tiles: Tiles) -> None:
        super().__init__(source, lambda: tiles.title(self))
        self.rank = rank
        self._tiles = tiles

    def nothing(self) -> str:
        """Report that the filter matches no line."""
        return self._tiles.texts("monitor.nothing_matches") if self._tiles.filter is not None else ""

    @property
    def label(self) -> str:
        """A name for a file."""
        return "merged" if self.rank is None else f"rank-{self.rank}"


class Tiles(Container):
    """Shows a run's ranks in ``count`` panes, page by page."""

    DEFAULT_CSS = """
    Tiles { layout: grid; grid-gutter: 0 1; width: 1fr; height: 1fr; background: $panel; }
    """

    def __init__(self, texts: Texts) -> None:
        super().__init__(id="tiles")
        #: The texts in the language of the screen.
        self.texts = texts
        self.count = 4
        self.current: RankPane | None = None
        self.filter: Matcher | None = None
        #: Lines shown around each that the filter lets through.
        self.context = 0
        self.wanted = ""
        self.merged = False
        self.folded = False
        #: How all panes show their lines.
        self.options = LineOptions()
        self._zoomed: int | None = None
        self._offset = 0
        self._run: RunState | None = None
        self._book: Logbook | None = None
        self._laid: tuple[object, ...] = ()
        #: The panes in their order. Removed ones remain children for a short time.
        self.panes: list[RankPane] = []

    @property
    def ranks(self) -> list[int]:
        """The ranks to choose from: all of the run, or those picked."""
        run = self._run
        if run is None:
            return []
        return [number for number in sorted(run.ranks) if self._picks(number)]

    def _picks(self, number: int) -> bool:
        words = self.wanted.replace(",", " ").split()
        node = self._run.ranks[number].node if self._run else ""
        return not words or any(_is(word, number, node) for word in words)

    def show(self, run: RunState, book: Logbook) -> None:
        """Show the run's logs; panes are replaced only when what they show has changed."""
        self._run = run
        ranks = self.ranks
        self._offset = min(self._offset, max(0, len(ranks) - 1))
        page = ranks[self._offset : self._offset + self.count]
        if self._zoomed is not None:
            page = [self._zoomed]
        shown = (
            run.id,
            id(book),
            self.merged,
            self.folded,
            tuple(ranks) if self.merged else tuple(page),
            self.filter,
            self.context,
        )
        if shown != self._laid:
            self._laid = shown
            self._book = book
            self._lay_out(book, ranks, page)
        for pane in self.panes:
            pane.tick()

    def _lay_out(self, book: Logbook, ranks: list[int], page: list[int]) -> None:
        sources: list[tuple[int | None, Callable[[], Source]]]
        if self.merged:
            sources = [(None, lambda: self._merged_source(book, ranks))]
        else:
            sources = [(rank, lambda rank=rank: self._source(book, rank)) for rank in page]  # type: ignore[misc]
        panes = self.panes
        # All in one call: otherwise the focus would move from one removed pane to the next.
        self.remove_children(panes[len(sources) :])
        del panes[len(sources) :]
        for position, (rank, make) in enumerate(sources):
            if position < len(panes):
                pane = panes[position]
                pane.rank = rank
            else:
                pane = RankPane(make(), rank, self)
                panes.append(pane)
                self.mount(pane)
            pane.options = self._options_of(pane)
            pane.look_at(make())
        self.on_resize()
        if self.current not in panes:
            self.current = panes[0] if panes else None

    def on_resize(self) -> None:
        """Lay the panes out in as many columns as their lines leave room for."""
        count = 1 if self.merged or self._zoomed is not None else min(self.count, len(self.ranks))
        columns = _COLUMNS.get(self.count, 1) if count > 2 else 1
        while columns > 1 and self.size.width // columns < NARROWEST:
            columns -= 1
        if self.styles.grid_size_columns != columns:
            self.styles.grid_size_columns = columns
        for pane in self.panes:
            pane.options = self._options_of(pane)

    def _source(self, book: Logbook, rank: int) -> Source:
        log = book.log(rank)
        return MatchSource(log, self.filter, self.context) if self.filter else log

    def _merged_source(self, book: Logbook, ranks: list[int]) -> Source:
        chosen = None if self._run is not None and len(ranks) == len(self._run.ranks) else frozenset(ranks)
        merged = MergedSource(book, chosen, self.filter, self.context)
        return FoldedSource(merged) if self.folded else merged

    def _options_of(self, pane: RankPane) -> LineOptions:
        options = self.options.moved(pane.options.side).near(self.filter is not None and self.context > 0)
        if not self.merged:
            return options
        return options.labelled(self._whose, NAMED if self.size.width >= ROOMY else 7)

    def _whose(self, ranks: Sequence[int]) -> str:
        """Return whose a merged line is: its ranks, and the nodes that they are on as a set."""
        run = self._run
        if run is None or self.size.width < ROOMY:
            return rank_set(ranks)
        nodes = dict.fromkeys(run.ranks[rank].node for rank in ranks if rank in run.ranks)
        return f"{rank_set(ranks)} {fold_in_order(list(nodes))}" if nodes else rank_set(ranks)

    def title(self, pane: RankPane) -> list[Span]:
        """Return the title of a pane: rank, node, phase, or the ranks that are merged."""
        texts, run = self.texts, self._run
        if run is None:
            return []
        title: list[Span]
        if pane.rank is None:
            title = [(texts("monitor.merged"), "title"), (f" {rank_set(self.ranks or [0])}", "text")]
            if self.folded:
                title.append((f" · {texts('monitor.folded')}", "accent"))
        else:
            rank = run.ranks[pane.rank]
            title = [
                (f"{texts.translate(RANK)} {pane.rank}", "title"),
                (f" {rank.node}:{rank.local_rank} ", "text"),
            ]
            title.append(mark("phase", phase(rank), texts))
            if rank.code:
                title.append((f" {texts('run.exit', code=rank.code)}", "fail"))
            if self._zoomed is not None:
                title.append((f" · {texts('monitor.zoomed')}", "accent"))
        if self.filter is not None:
            around = f" ±{self.context}" if self.context else ""
            title.append((f"  & {self.filter.typed}{around}", "warn"))
        if pane.search is not None:
            title.append((f"  / {pane.search.typed}", "busy"))
        return title

    def tile(self, count: int) -> None:
        """Show ``count`` panes."""
        self.count = count
        self._zoomed = None
        self.merged = False

    def zoom(self) -> None:
        """Show only the current pane, or all again."""
        if self._zoomed is not None:
            self._zoomed = None
        elif self.current is not None and self.current.rank is not None:
            self._zoomed = self.current.rank

    def merge(self) -> None:
        """Show the ranks merged, or apart again."""
        self.merged = not self.merged
        self._zoomed = None

    def fold(self) -> None:
        """Show lines that ranks have in common once; this is for the merged view, and turns it on."""
        self.folded = not self.folded
        self.merged = True

    def dress(self, options: LineOptions) -> None:
        """Wrap lines and show times in all panes as in ``options``."""
        self.options = LineOptions(wrap=options.wrap, times=options.times)
        for pane in self.panes:
            if (pane.options.wrap, pane.options.times) != (options.wrap, options.times):
                pane.options = pane.options.wrapped(options.wrap).timed(options.times)
                pane.tick()

    def widen(self) -> None:
        """Show more lines around each that the filter lets through; after the most, none."""
        self.context = CONTEXTS[(CONTEXTS.index(self.context) + 1) % len(CONTEXTS)]

    def turn(self, pages: int) -> None:
        """Show the ranks of the next or previous page."""
        total = len(self.ranks)
        offset = self._offset + pages * self.count
        if 0 <= offset < total:
            self._offset = offset

    def step(self, count: int) -> None:
        """Go to the next or previous pane."""
        panes = self.panes
        if panes:
            position = panes.index(self.current) if self.current in panes else 0
            self.focus_pane(panes[(position + count) % len(panes)])

    def focus_pane(self, pane: Pane) -> None:
        """Make a pane the current one."""
        if isinstance(pane, RankPane):
            self.current = pane
            pane.focus()

    def pick(self, wanted: str) -> str | None:
        """Show only these ranks and nodes (``0-3 gpu2``); returns what is wrong with the choice."""
        before, self.wanted = self.wanted, wanted
        if not self.ranks:
            self.wanted = before
            return self.texts("monitor.no_such_rank")
        self._offset = 0
        self._zoomed = None
        return None

    def bring(self, rank: int) -> None:
        """Show the page on which a rank is."""
        self.wanted = "" if rank not in self.ranks else self.wanted
        self._offset = self.ranks.index(rank) // self.count * self.count
        self.merged = False
        self._zoomed = rank if self.count == 1 else None

    def hidden_rank_with(self, matcher: Matcher) -> int | None:
        """Return a rank that has matching lines and no pane."""
        if self._book is None or self.merged:
            return None
        shown = {pane.rank for pane in self.panes}
        for rank in self._book.ranks:
            if rank not in shown:
                index = MatchIndex(self._book.log(rank), matcher)
                index.advance()
                if index.numbers:
                    return rank
        return None


def _is(word: str, number: int, node: str) -> bool:
    low, dash, high = word.partition("-")
    if low.isdigit() and (not dash or high.isdigit()):
        return int(low) <= number <= int(high or low)
    return word == node
