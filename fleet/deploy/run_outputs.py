"""Files in the project that runs have written: they are not code, and are not deployed.

A rank writes as the user who edits, so all that a file has is the time when it was last written. A file from
the time of a run on this machine counts as written by the run, unless git tracks the file, the run needs it,
or it is of a kind that people write. The result is shown, and a line in ``.dtuiignore`` corrects it.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path, PurePosixPath
from typing import NamedTuple

#: Endings of files that people write. Programs write some of them, too, mostly into folders of their own.
_SOURCES = frozenset([
    ".py", ".pyi", ".pyx", ".ipynb", ".c", ".cc", ".cpp", ".cu", ".cuh", ".h", ".hpp", ".cmake", ".go", ".rs",
    ".js", ".ts", ".sh", ".bash", ".ps1", ".bat", ".cmd", ".toml", ".cfg", ".ini", ".yaml", ".yml", ".lock",
    ".md", ".rst", ".jinja", ".j2", ".env", ".in", ".sql", ".proto",
])  # fmt: skip
#: Around the times of a run's own files: clocks of file systems, and the supervisor's last heartbeat.
_SLACK_NS = 5_000_000_000
_GIT_SECONDS = 20.0


class Window(NamedTuple):
    """The time in which a run could write, in nanoseconds of this machine's clock."""

    begun: int
    ended: int


class Written(NamedTuple):
    """A file's path in the project, and when it was last written."""

    path: str
    mtime_ns: int


def run_windows(home: Path) -> tuple[Window, ...]:
    """Return the windows of the runs that had ranks on this machine; ``home`` is the project's ``.dtui``."""
    found = []
    # Nodes that share the project's folder have folders of their own in that of the run.
    for spec in (*home.glob("runs/*/spec.json"), *home.glob("runs/*/node-*/spec.json")):
        # The supervisor writes its status every few seconds as long as it lives.
        times = [_time(spec), _time(spec.with_name("plan.json")), _time(spec.with_name("status.json"))]
        known = [time for time in times if time is not None]
        if known:
            found.append(Window(min(known), max(known) + _SLACK_NS))
    return tuple(found)


def written_by_runs(
    root: Path, files: Iterable[Written], windows: Sequence[Window], wanted: Callable[[str], bool]
) -> set[str]:
    """Return the files that runs have written, except those that are ``wanted`` as code."""
    if not windows:
        return set()
    found = {
        path
        for path, mtime_ns in files
        if any(begun <= mtime_ns <= ended for begun, ended in windows)
        and not _is_source(path)
        and not wanted(path)
        and _is_ours(root / path)
    }
    return found - _tracked(root) if found else found


def _is_source(path: str) -> bool:
    name = path.rpartition("/")[2]
    ending = PurePosixPath(name).suffix.lower()
    return not ending or ending in _SOURCES or (name.startswith("requirements") and ending == ".txt")


def _is_ours(path: Path) -> bool:
    """Return whether the file belongs to the user whose ranks run here."""
    if os.name == "nt":
        return True
    try:
        return path.stat().st_uid == os.geteuid()
    except OSError:
        return False


def _tracked(root: Path) -> set[str]:
    """Return the files that git tracks in the project, none where git or a repository is missing."""
    argv = ["git", "-c", "core.fsmonitor=false", "-C", str(root), "ls-files", "-z"]
    try:
        listed = subprocess.run(
            argv, stdin=subprocess.DEVNULL, capture_output=True, check=True, timeout=_GIT_SECONDS
        )
    except (OSError, subprocess.SubprocessError):
        return set()
    return set(listed.stdout.decode("utf-8", "surrogateescape").split("\0"))


def _time(path: Path) -> int | None:
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return None
