"""stdout and stderr of the command line: encodings that can't fail, and no control character passes."""

from __future__ import annotations

import io
import sys
from collections.abc import Iterable
from typing import Any, TextIO

from fleet.terminal import render_line


class SafeStream(io.TextIOBase):
    """A text stream that renders every write, whether by argparse, warnings, a library or dtui.

    It is the last safeguard. dtui's own output goes through :mod:`tui.cli.output`, which has the kind of
    each text; here each line is rendered once more, without colours. ``unguarded`` is for output whose
    control sequences are dtui's own (progress bars, colours that the renderer kept).
    """

    def __init__(self, stream: TextIO) -> None:
        super().__init__()
        self.unguarded = stream

    @property
    def buffer(self) -> Any:
        """The stream of bytes below, for ``dtui logs --raw``."""
        return self.unguarded.buffer

    @property
    def encoding(self) -> str:  # type: ignore[override]
        """The encoding of the stream below."""
        return self.unguarded.encoding

    @property
    def errors(self) -> str | None:  # type: ignore[override]
        """How the stream below writes a character that its encoding lacks."""
        return self.unguarded.errors

    def write(self, text: str, /) -> int:
        """Write the text as it may reach a terminal; returns the length of ``text``."""
        self.unguarded.write("\n".join(render_line(line).text for line in text.split("\n")))
        return len(text)

    def writelines(self, lines: Iterable[str], /) -> None:  # type: ignore[override]
        """Write each of the lines."""
        for line in lines:
            self.write(line)

    def flush(self) -> None:
        """Flush the stream below."""
        self.unguarded.flush()

    def close(self) -> None:
        """Close the stream below."""
        self.unguarded.close()

    @property
    def closed(self) -> bool:
        """Whether the stream below is closed."""
        return self.unguarded.closed

    def fileno(self) -> int:
        """Return the file descriptor below."""
        return self.unguarded.fileno()

    def isatty(self) -> bool:
        """Return whether this is a terminal."""
        return self.unguarded.isatty()

    def writable(self) -> bool:
        """Return True: the stream is only written to."""
        return True


def prepare_streams() -> None:
    """Make pipes and files UTF-8 on every system, and put a :class:`SafeStream` before stdout and stderr.

    On Windows Python writes the code page into a pipe, and a Korean one lacks the sign for "ok": a program
    that reads would get other bytes than on Linux, or none. A terminal keeps its own encoding.
    """
    sys.stdout = _prepared(sys.stdout)
    sys.stderr = _prepared(sys.stderr)


def _prepared(stream: TextIO) -> TextIO:
    if not isinstance(stream, io.TextIOWrapper):
        return stream  # prepared already, or replaced by the caller
    if stream.isatty():
        stream.reconfigure(errors="backslashreplace")
    else:
        stream.reconfigure(encoding="utf-8", errors="backslashreplace")
    return SafeStream(stream)  # type: ignore[return-value]
