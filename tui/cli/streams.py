"""What the command line writes can be read: by programs as UTF-8, by a terminal without an exception."""

from __future__ import annotations

import io
import sys


def prepare_streams() -> None:
    """Make pipes and files UTF-8 on every system; a terminal keeps its own encoding.

    On Windows Python writes the code page into a pipe, and a Korean one has no sign for "ok": a program that
    reads would get other bytes there than on Linux, or none.
    """
    for stream in (sys.stdout, sys.stderr):
        if not isinstance(stream, io.TextIOWrapper):
            continue  # replaced by whoever called us
        if stream.isatty():
            stream.reconfigure(errors="backslashreplace")
        else:
            stream.reconfigure(encoding="utf-8", errors="backslashreplace")
