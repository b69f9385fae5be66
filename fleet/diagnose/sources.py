"""Outputs to diagnose: the recording of a run, and log files that dtui did not write."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from fleet.diagnose.context import Context, Kind, System
from fleet.diagnose.findings import Report
from fleet.diagnose.reasoning import Output, diagnose
from fleet.diagnose.rules import Rule
from fleet.diagnose.tails import LogTails
from fleet.events import Event, LogChunk, RankExited
from transports import regular_files

#: Bytes read from the end of a file.
_READ = 1 << 20
_WINDOWS = re.compile(r"WinError|[ \"'(][A-Z]:\\|win32|\.dll\b|system error: \d|PowerShell")


def system_of(text: str) -> System:
    """Return the system that an output is likely from."""
    return "windows" if _WINDOWS.search(text) else "linux"


def end_of_file(path: Path) -> str:
    """Return the end of a file's text, UTF-8 or UTF-16 with a byte order mark; raises OSError."""
    with regular_files.open_file(path) as file:
        start = file.read(4)
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - _READ) // 2 * 2)
        data = file.read(_READ)
    if start.startswith((b"\xff\xfe", b"\xfe\xff")):
        return data.decode("utf-16-le" if start.startswith(b"\xff\xfe") else "utf-16-be", "replace")
    return data.decode("utf-8", "replace")


def diagnose_files(
    paths: Sequence[Path],
    rules: Sequence[Rule],
    *,
    kind: Kind = "run",
    system: System | None = None,
    exit_code: int | None = None,
) -> Report:
    """Return what the files show; several are the outputs of several ranks, in their order."""
    texts = [end_of_file(path) for path in paths]
    outputs = [
        Output(
            text,
            Context(system or system_of(text), "other", None, kind),
            rank if len(texts) > 1 else None,
            exit_code,
        )
        for rank, text in enumerate(texts)
    ]
    return diagnose(outputs, rules)


def diagnose_recording(
    events: Iterable[Event], contexts: Mapping[int, Context], rules: Sequence[Rule]
) -> Report:
    """Return what the recording of a run shows; nothing is blamed when no rank failed."""
    tails = LogTails(contexts)
    ends: dict[int, RankExited] = {}
    for event in events:
        if isinstance(event, LogChunk):
            tails.add(event)
        elif isinstance(event, RankExited):
            ends[event.rank] = event
    failed = [end for end in ends.values() if end.code != 0 and not end.stopped and not end.lost]
    if not failed:
        return Report()
    order = sorted(failed, key=lambda end: end.at)
    first = next((end for end in order if not tails.lost_peer(rules, end.rank)), order[0])
    exits = {end.rank: end.code for end in ends.values() if not end.stopped and not end.lost}
    return tails.diagnose(rules, first.rank, exits)
