"""Bytes of many ranks' logs as whole lines, each with its rank before it."""

from __future__ import annotations

from fleet.events import LogChunk
from fleet.log_gap import gap_line, missing_before
from fleet.terminal import LineStream, Rendered, one_line, render_bytes


class _RankOutput:
    """The unfinished line of one rank, and where its output ended so far."""

    def __init__(self) -> None:
        self.stream = LineStream()
        self.end: int | None = None


class RankLines:
    """Keeps the unfinished line of each rank; bytes that never arrived become a line."""

    def __init__(self) -> None:
        self._outputs: dict[tuple[str, int], _RankOutput] = {}

    def feed(self, chunk: LogChunk) -> list[Rendered]:
        """Return the lines that this chunk completes, as ``gpu1 rank 3 | text``."""
        key = (chunk.node, chunk.rank)
        output = self._outputs.setdefault(key, _RankOutput())
        lines: list[bytes] = []
        if missing := missing_before(chunk.offset, chunk.data, output.end):
            rest = output.stream.rest()
            lines += [rest, gap_line(missing)] if rest else [gap_line(missing)]
        output.end = chunk.offset + len(chunk.data)
        lines += output.stream.feed(chunk.data)
        lead = _lead(key)
        return [_line(lead, line) for line in lines]

    def unfinished(self) -> list[Rendered]:
        """Return the unfinished lines as they are now, by node and rank."""
        held = [(key, output.stream.unfinished) for key, output in sorted(self._outputs.items())]
        lines = [(_lead(key), _line(_lead(key), raw)) for key, raw in held if raw]
        return [line for lead, line in lines if line.text.strip() != lead.strip()]

    def rest(self) -> list[Rendered]:
        """Return the unfinished lines and forget them."""
        rests = [(key, output.stream.rest()) for key, output in self._outputs.items()]
        self._outputs.clear()
        return [_line(_lead(key), rest) for key, rest in rests if rest]


def _lead(key: tuple[str, int]) -> str:
    return f"{one_line(key[0])} rank {key[1]} | "


def _line(lead: str, raw: bytes) -> Rendered:
    text, colors = render_bytes(raw)
    if not colors:
        return Rendered(lead + text)
    shift = len(lead)
    return Rendered(lead + text, tuple((start + shift, end + shift, code) for start, end, code in colors))
