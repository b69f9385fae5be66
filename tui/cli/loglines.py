"""Bytes of many ranks' logs as whole lines, each with its rank before it."""

from __future__ import annotations

from fleet.events import LogChunk

#: A program that never ends its line must not fill the memory.
_LONGEST = 1 << 16


class RankLines:
    """Holds the unfinished line of each rank."""

    def __init__(self) -> None:
        self._held: dict[tuple[str, int], bytes] = {}

    def feed(self, chunk: LogChunk) -> list[str]:
        """Return the lines that this chunk completes, as ``gpu1 rank 3 | text``."""
        key = (chunk.node, chunk.rank)
        *whole, rest = (self._held.get(key, b"") + chunk.data).split(b"\n")
        if len(rest) > _LONGEST:
            whole.append(rest)
            rest = b""
        self._held[key] = rest
        return [self._line(key, line) for line in whole]

    def rest(self) -> list[str]:
        """Return the unfinished lines and forget them."""
        lines = [self._line(key, line) for key, line in self._held.items() if line]
        self._held.clear()
        return lines

    def _line(self, key: tuple[str, int], line: bytes) -> str:
        # Of a progress bar that returns to the line's start, only the last state is worth a line.
        text = decode(line.rstrip(b"\r").rsplit(b"\r", 1)[-1])
        return f"{key[0]} rank {key[1]} | {text}"


def decode(line: bytes) -> str:
    """Return the line as text: UTF-8, else the code page of a Korean Windows."""
    try:
        return line.decode("utf-8")
    except UnicodeDecodeError:
        return line.decode("cp949", "replace")
