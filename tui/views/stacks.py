"""The stacks of a run's ranks, those with the same stack together: for the command line and the console."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from rich.cells import cell_len

from agent.wire.message import Message, message
from agent.wire.runs import Frame, RankStacks
from fleet.events import StacksRead
from fleet.runs.stacks import folded, last_collective, other_threads
from fleet.terminal import one_line
from tui.i18n import Texts
from tui.rendering.spans import Spans, fit, fit_spans, wrap
from tui.rendering.units import local_time

#: Cells of a column of stacks, at least, and between two.
_LEAST, _GAP = 44, 3
#: Cells before a frame.
_INDENT = 4


def stack_groups(
    ranks: Mapping[str, Sequence[RankStacks]],
    texts: Texts,
    *,
    threads: bool = False,
    width: int | None = None,
) -> list[list[Spans]]:
    """Return the lines of each different stack, that of most ranks first; ``ranks`` are by node.

    With ``width``, lines have at most so many cells: the end of a path is shown, other texts are wrapped.
    """
    found = {one["rank"]: one for on_node in ranks.values() for one in on_node}
    nodes = {one["rank"]: node for node, on_node in ranks.items() for one in on_node}
    groups = []
    for alike, frames in folded(list(found.values())):
        where = [f"{rank} ({nodes[rank]})" for rank in alike]
        lines = _wrapped(
            texts.translate(message("stacks.ranks", "rank {ranks}", ranks=where)), 0, width, "strong"
        )
        lines += _stack(frames, found[alike[0]], texts, width)
        for rank in alike:
            lines += _details(found[rank], texts, threads, width)
        groups.append(lines)
    return groups


def page(
    events: Mapping[str, StacksRead], texts: Texts, width: int, *, ended: bool, reading: bool
) -> list[Spans]:
    """Return the page of the console: their time, the nodes' errors, the stacks side by side."""
    lines = [*_wrapped(texts.sentence(_heading(events, ended=ended, reading=reading)), 0, width, "muted"), []]
    for node, event in events.items():
        if event.error:
            error, remedy = texts.translate(event.error), texts.translate(event.remedy)
            lines += _wrapped(f"✗ {node}: {error}" if node else f"✗ {error}", 0, width, "fail")
            lines += _wrapped(f"→ {remedy}", 2, width, "muted") if remedy else []
            lines.append([])
    ranks = {node: event.ranks for node, event in events.items()}
    return lines + _side_by_side(stack_groups(ranks, texts, width=_column(width, _count(ranks))[1]), width)


def none_alive() -> Message:
    """Return that there is nothing to show, since no rank is alive."""
    return message("stacks.none", "no rank of this run is alive")


def _heading(events: Mapping[str, StacksRead], *, ended: bool, reading: bool) -> Message:
    at = local_time(max((event.at for event in events.values()), default=0.0), "%H:%M:%S")
    if reading:
        return message("stacks.reading", "reading the stacks of all ranks")
    if any(event.saved for event in events.values()):
        return message(
            "stacks.saved", "the run has ended; these stacks were saved at {time}, before its end", time=at
        )
    if ended:
        return message(
            "stacks.not-saved",
            "the run has ended without saved stacks; dtui saves them when a run stops making progress",
        )
    if not events:
        return message("stacks.no-answer", "no node has answered; the messages (`!`) have the reason")
    if not any(event.ranks or event.error for event in events.values()):
        return none_alive()
    return message("stacks.read", "read at {time}", time=at)


def _count(ranks: Mapping[str, Sequence[RankStacks]]) -> int:
    return len(folded([one for on_node in ranks.values() for one in on_node]))


def _column(width: int, groups: int) -> tuple[int, int]:
    """Return how many stacks are next to each other, and the cells of each."""
    columns = max(1, min(groups, (width + _GAP) // (_LEAST + _GAP)))
    return columns, (width - _GAP * (columns - 1)) // columns


def _side_by_side(groups: Sequence[Sequence[Spans]], width: int) -> list[Spans]:
    columns, cells = _column(width, len(groups))
    lines: list[Spans] = []
    for first in range(0, len(groups), columns):
        row = groups[first : first + columns]
        for number in range(max(map(len, row))):
            line: list[tuple[str, str]] = []
            for group in row:
                line += [(" " * _GAP, "text")] if line else []
                line += fit_spans(group[number] if number < len(group) else (), cells)
            lines.append(line)
        lines.append([])
    return lines


def _details(found: RankStacks, texts: Texts, threads: bool, width: int | None) -> Iterator[Spans]:
    last = last_collective(found)
    if last is not None:
        text = message(
            "stacks.collective",
            "rank {rank}: last collective {number}, {name} {sizes}",
            rank=found["rank"],
            number=last.number,
            name=last.name,
            sizes=last.sizes,
        )
        yield from _wrapped(texts.translate(text), _INDENT, width, "muted")
    for thread in other_threads(found) if threads else ():
        name = message(
            "stacks.thread", "rank {rank}, thread {name}", rank=found["rank"], name=thread["thread"]
        )
        yield from _wrapped(texts.translate(name), _INDENT // 2, width, "muted")
        yield from _stack(thread["frames"], found, texts, width)


def _stack(frames: Sequence[Frame], found: RankStacks, texts: Texts, width: int | None) -> Iterator[Spans]:
    if not frames:
        text = message(
            "stacks.unobserved",
            "not observed: its interpreter ignores PYTHONPATH, or `run.observe` is false",
        )
        yield from _wrapped(texts.translate(text), _INDENT, width, "muted")
        return
    if found["source"] == "faulthandler":
        text = message("stacks.gil", "something holds the GIL; the stack is faulthandler's")
        yield from _wrapped(texts.translate(text), _INDENT, width, "muted")
    for frame in frames:
        yield _frame(f"{frame['file']}:{frame['line']}", frame["function"], width)


def _frame(place: str, function: str, width: int | None) -> Spans:
    """Return a frame's line; without room for all, the end of the path is shown."""
    place, function = one_line(place), one_line(function)
    if width is not None:
        room = max(8, width - _INDENT)
        function = fit(function, min(cell_len(function), room // 2))
        place = _end_of(place, room - cell_len(function) - 2)
    return [(" " * _INDENT, "text"), (place, "text"), (f"  {function}", "accent")]


def _end_of(text: str, width: int) -> str:
    if cell_len(text) <= width:
        return text
    while text and cell_len(text) > width - 1:
        text = text[1:]
    return f"…{text}"


def _wrapped(text: str, indent: int, width: int | None, style: str) -> list[Spans]:
    parts = [text] if width is None else wrap(text, max(20, width - indent))
    return [[(" " * indent + part, style)] for part in parts]
