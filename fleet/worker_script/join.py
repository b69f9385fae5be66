"""Joins scripts/worker_setup.ps1 and the files that it dot-sources into one text.

The build of a wheel runs this file by its path (scripts/build_worker_script.py): it imports nothing of dtui.
"""

from __future__ import annotations

import re
from pathlib import Path

#: A line that dot-sources a file beside the script.
_PART = re.compile(r"^\. \(Join-Path \$PSScriptRoot '([\w\\.-]+\.ps1)'\)$", re.MULTILINE)
_HERE_STRING = re.compile(r"""@(['"])[ \t]*$""")


def joined(folder: Path) -> str:
    """Return the script with the parts in place of their lines, without blank lines; raises OSError.

    Raises ValueError when nothing is dot-sourced, or when a part reads another file.
    """
    text, count = _PART.subn(
        lambda found: _read(folder / found[1].replace("\\", "/")).strip(), _read(folder / "worker_setup.ps1")
    )
    if not count or "$PSScriptRoot" in text:
        raise ValueError(f"{folder}: cannot be joined into one file: a use of $PSScriptRoot is unknown")
    return _without_blank_lines(text)


def _read(path: Path) -> str:
    return path.read_text("ascii").replace("\r\n", "\n")


def _without_blank_lines(text: str) -> str:
    # A console without PSReadLine takes a blank line for the end of what is pasted.
    kept, end = [], ""
    for line in text.split("\n"):
        if end:
            end = "" if line.startswith(end) else end
        elif not line.strip():
            continue
        elif found := _HERE_STRING.search(line):
            end = f"{found[1]}@"
        kept.append(line)
    return "\n".join(kept)
