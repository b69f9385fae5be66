"""Has anything changed that an environment was made from? Kept in ``.dtui/environment.json``.

Of nodes that share the project's folder, the first has that file and the others ``environment-<node>.json``.
"""

from __future__ import annotations

import hashlib
import os
import re
import stat
from typing import List, Optional, Sequence

from agent import durable
from agent.private import OWN, regular
from agent.wire.decode import WireError, decode
from agent.wire.deploy import EnvironmentFacts, EnvironmentRequest, EnvironmentStamp

#: Bytes that are read at once.
_PIECE = 1 << 20
#: Of ``.dtui/environment.json``.
FORMAT = 2
_NAME = re.compile(r"environment(-.+)?\.json$")
#: In a package folder, what is written anew when a package is installed again.
_DESCRIBES = (".dist-info", ".egg-info", ".pth", ".egg-link")
#: Files that determine an environment, in addition to those that the recipe names.
SOURCES = ("pyproject.toml", "uv.lock", "uv.toml", ".python-version", "setup.py", "setup.cfg")


def path_in(root: str, node: Optional[str]) -> str:
    """Return where the environment of a node is described, or of the first node that a deploy has reached."""
    first = os.path.join(root, OWN, "environment.json")
    if node is None:
        return first
    own = os.path.join(root, OWN, "environment-%s.json" % node)
    known = durable.read_json(first)
    # Older versions did not keep the node.
    return first if not isinstance(known, dict) or known.get("node", node) == node else own


def stamp(root: str, request: EnvironmentRequest, places: Sequence[str]) -> EnvironmentStamp:
    """Return what must be the same for an environment to be up to date.

    ``request`` is what was asked for; ``places`` are the interpreter and its package folders.
    """
    recipe = request["recipe"]
    named = [*recipe["requirements"], *([recipe["conda"]] if recipe["conda"] else [])] if recipe else []
    sources = {name: _digest(os.path.join(root, name)) for name in (*SOURCES, *named)}
    return {"request": request, "sources": sources, "places": [(place, _state(place)) for place in places]}


def described(root: str, node: Optional[str]) -> Optional[EnvironmentFacts]:
    """Return a node's environment as the last deploy described it, None without a readable description."""
    return _read(path_in(root, node))


def others(root: str, node: str) -> List[EnvironmentFacts]:
    """Return the environments of the other nodes that share the folder, by the names of their files."""
    folder, own = os.path.join(root, OWN), path_in(root, node)
    try:
        names = sorted(name for name in os.listdir(folder) if _NAME.match(name))
    except OSError:
        return []
    paths = [os.path.join(folder, name) for name in names]
    return [known for known in (_read(path) for path in paths if path != own) if known is not None]


def refreshed(root: str, node: Optional[str]) -> None:
    """Take the package folders as they are now for the environment as it was made; raises OSError."""
    known = described(root, node)
    if known is not None:
        places = [(place, _state(place)) for place, _ in known["stamp"]["places"]]
        durable.write_json(path_in(root, node), {**known, "stamp": {**known["stamp"], "places": places}})


def unchanged(
    root: str, request: EnvironmentRequest, known: Optional[EnvironmentFacts]
) -> Optional[EnvironmentFacts]:
    """Return the description ``known`` of an environment if it is up to date, else None."""
    if known is None:
        return None
    now = stamp(root, request, [place for place, _ in known["stamp"]["places"]])
    return known if known["stamp"] == now and os.path.exists(known["interpreter"]) else None


def _read(path: str) -> Optional[EnvironmentFacts]:
    try:
        return decode(EnvironmentFacts, durable.read_json(path), tolerant=True)
    except WireError:
        return None


def _digest(path: str) -> Optional[str]:
    try:
        with open(path, "rb", opener=regular) as file:
            digest = hashlib.blake2b(digest_size=16)
            for piece in iter(lambda: file.read(_PIECE), b""):
                digest.update(piece)
            return digest.hexdigest()
    except OSError:
        return None


def _state(path: str) -> Optional[int]:
    """Return what changes when an interpreter is replaced, or a package in a folder; None without it.

    Bytecode that an import has left in the folder is no change.
    """
    try:
        found = os.stat(path)
        if not stat.S_ISDIR(found.st_mode):
            return found.st_mtime_ns
        digest = hashlib.blake2b(digest_size=6)
        for name in sorted(os.listdir(path)):
            if name != "__pycache__":
                time = os.lstat(os.path.join(path, name)).st_mtime_ns if name.endswith(_DESCRIBES) else 0
                digest.update(("%s %d\n" % (name, time)).encode("utf-8", "surrogateescape"))
    except OSError:
        return None
    return int.from_bytes(digest.digest(), "big")
