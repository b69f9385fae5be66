"""Has anything changed that an environment was made from? Kept in ``.dtui/environment.json``."""

from __future__ import annotations

import hashlib
import os
from typing import Any, Dict, List, Optional, Sequence

from agent import durable
from agent.tree.places import OWN

#: What ``uv`` goes by.
SOURCES = ("pyproject.toml", "uv.lock", "uv.toml", ".python-version", "requirements.txt")


def path_in(root: str) -> str:
    """Return where a project's environment is described."""
    return os.path.join(root, OWN, "environment.json")


def stamp(root: str, request: Dict[str, Any], places: Sequence[str]) -> Dict[str, Any]:
    """Return what must be the same for an environment to be as it was made.

    ``request`` is what was asked for; ``places`` are the interpreter and its package folders, which
    change their time when something is installed.
    """
    sources = {name: _digest(os.path.join(root, name)) for name in SOURCES}
    return {"request": request, "sources": sources, "places": [[place, _time(place)] for place in places]}


def unchanged(root: str, request: Dict[str, Any]) -> Optional[Dict[str, Any]]:
    """Return the environment's description if all is as it was, else None."""
    known: Any = durable.read_json(path_in(root))
    try:
        places: List[str] = [place for place, _ in known["stamp"]["places"]]
        same = known["stamp"] == stamp(root, request, places)
        there = os.path.exists(known["interpreter"])
    except (KeyError, TypeError, ValueError):
        return None
    return dict(known) if same and there else None


def _digest(path: str) -> Optional[str]:
    try:
        with open(path, "rb") as file:
            return hashlib.blake2b(file.read(), digest_size=16).hexdigest()
    except OSError:
        return None


def _time(path: str) -> Optional[int]:
    try:
        return os.stat(path).st_mtime_ns
    except OSError:
        return None
