"""What setup commands have made in the project: it belongs to the node, and no deploy copies it."""

from __future__ import annotations

import os
from typing import Iterable, List, Set

from agent.private import OWN

#: Never code, and large.
_SKIPPED = (OWN, ".git", ".venv", "__pycache__")
_MOST = 50_000


def entries_of(root: str) -> Set[str]:
    """Return the paths of all files below the project with ``/``; those of folders end with ``/``."""
    found: Set[str] = set()
    for place, folders, files in os.walk(root):
        folders[:] = [name for name in folders if name not in _SKIPPED]
        prefix = os.path.relpath(place, root).replace(os.sep, "/")
        prefix = "" if prefix == "." else prefix + "/"
        found.update(prefix + name for name in files)
        found.update(prefix + name + "/" for name in folders)
    return found


def made_since(root: str, before: Set[str], made: Iterable[str]) -> List[str]:
    """Return what is new, and what is left of ``made``; a new folder stands for all that is in it."""
    now = entries_of(root)
    new = (now - before) | (now & set(made))
    return sorted(path for path in new if not any(folder in new for folder in _folders(path)))[:_MOST]


def _folders(path: str) -> Iterable[str]:
    parts = path.rstrip("/").split("/")
    return ("/".join(parts[:length]) + "/" for length in range(1, len(parts)))
