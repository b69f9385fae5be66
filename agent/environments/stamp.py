"""Has anything changed that an environment was made from? Kept in ``.dtui/environment.json``."""

from __future__ import annotations

import hashlib
import os
from typing import Optional, Sequence

from agent import durable
from agent.private import OWN, regular
from agent.wire.decode import WireError, decode
from agent.wire.deploy import EnvironmentFacts, EnvironmentRequest, EnvironmentStamp

#: Bytes that are read at once.
_PIECE = 1 << 20
#: Of ``.dtui/environment.json``.
FORMAT = 2
#: Files that determine an environment, in addition to those that the recipe names.
SOURCES = ("pyproject.toml", "uv.lock", "uv.toml", ".python-version", "setup.py", "setup.cfg")


def path_in(root: str) -> str:
    """Return where a project's environment is described."""
    return os.path.join(root, OWN, "environment.json")


def stamp(root: str, request: EnvironmentRequest, places: Sequence[str]) -> EnvironmentStamp:
    """Return what must be the same for an environment to be up to date.

    ``request`` is what was asked for; ``places`` are the interpreter and its package folders, which
    change their time when something is installed.
    """
    recipe = request["recipe"]
    named = [*recipe["requirements"], *([recipe["conda"]] if recipe["conda"] else [])] if recipe else []
    sources = {name: _digest(os.path.join(root, name)) for name in (*SOURCES, *named)}
    return {"request": request, "sources": sources, "places": [(place, _time(place)) for place in places]}


def described(root: str) -> Optional[EnvironmentFacts]:
    """Return the environment as the last deploy described it, None without a readable description."""
    try:
        return decode(EnvironmentFacts, durable.read_json(path_in(root)), tolerant=True)
    except WireError:
        return None


def refreshed(root: str) -> None:
    """Take the package folders as they are now for the environment as it was made; raises OSError."""
    known = described(root)
    if known is not None:
        places = [(place, _time(place)) for place, _ in known["stamp"]["places"]]
        durable.write_json(path_in(root), {**known, "stamp": {**known["stamp"], "places": places}})


def unchanged(root: str, request: EnvironmentRequest) -> Optional[EnvironmentFacts]:
    """Return the environment's description if it is up to date, else None."""
    known = described(root)
    if known is None:
        return None
    now = stamp(root, request, [place for place, _ in known["stamp"]["places"]])
    return known if known["stamp"] == now and os.path.exists(known["interpreter"]) else None


def _digest(path: str) -> Optional[str]:
    try:
        with open(path, "rb", opener=regular) as file:
            digest = hashlib.blake2b(digest_size=16)
            for piece in iter(lambda: file.read(_PIECE), b""):
                digest.update(piece)
            return digest.hexdigest()
    except OSError:
        return None


def _time(path: str) -> Optional[int]:
    try:
        return os.stat(path).st_mtime_ns
    except OSError:
        return None
