"""``put``: write small text files into the project, each beside first and then in one step.

Arguments: ``project``, ``deploy`` and ``files``, a dict of relative path to text. Unlike a deploy it may
write into ``.dtui``, where a node keeps its own configuration.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Dict, List, Tuple

from agent import durable
from agent.paths import PathRejected, project_root, split
from agent.tree.commit import recover
from agent.tree.errors import explained
from agent.tree.lock import Lock
from agent.tree.places import OWN, Tree

if TYPE_CHECKING:
    from agent.server import Call


def put(call: Call) -> Dict[str, Any]:
    """Return the absolute paths written, by relative path. All paths are checked before any is written."""
    text = str(call.args["project"])
    with explained(text):
        root = project_root(text)
        with Lock(root, str(call.args["deploy"]), call.cancelled):
            recover(root)
            places: List[Tuple[str, str, str]] = [
                (path, _place(root, path), contents) for path, contents in call.args["files"].items()
            ]
            for _, place, contents in places:
                os.makedirs(os.path.dirname(place), exist_ok=True)
                durable.write(place, contents.encode("utf-8"))
    return {"written": {path: place for path, place, _ in places}}


def _place(root: str, path: str) -> str:
    parts = split(path)
    if parts[0] != OWN:
        return Tree(root).place(path)
    if len(parts) != 2 or parts[1] in ("deployed.json", "deploy.lock", "incoming"):
        raise PathRejected(path, "is not a configuration file in dtui's own folder")
    return os.path.join(root, *parts)
