"""``put``: writes small text files into the project, each replaced as a whole.

Arguments: ``project``, ``deploy`` and ``files``, a dict of relative path to text. Unlike a deploy it may
write into ``.dtui``, where a node keeps its own configuration.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, List, Tuple

from agent import durable
from agent.paths import PathRejected, project_root, split
from agent.private import OWN
from agent.tree.commit import recover
from agent.tree.errors import explained
from agent.tree.lock import Lock
from agent.tree.places import Tree
from agent.wire.deploy import PutArgs, PutResult, WaitItem
from agent.wire.message import message

if TYPE_CHECKING:
    from agent.server import Call

    Request = Call[PutArgs, None, WaitItem]


#: What a deploy keeps in dtui's own folder.
_NOT_CONFIGURATION = ("deployed.json", "deploying.json", "project.json", "deploy.lock", "incoming")


def put(call: Request) -> PutResult:
    """Return the absolute paths written, by relative path. All paths are checked before any is written."""
    text = call.args["project"]

    def waiting(seconds: float) -> None:
        call.send({"waiting": seconds})

    with explained(text):
        root = project_root(text)
        with Lock(root, call.args["deploy"], call.cancelled, waiting):
            recover(root)
            places: List[Tuple[str, str, str]] = [
                (path, _place(root, path), contents) for path, contents in call.args["files"].items()
            ]
            for path, place, contents in places:
                os.makedirs(os.path.dirname(place), exist_ok=True)
                own = split(path)[0] == OWN
                durable.write(place, contents.encode("utf-8"), private=own)
    return {"written": {path: place for path, place, _ in places}}


def _place(root: str, path: str) -> str:
    parts = split(path)
    if parts[0] != OWN:
        return Tree(root).place(path)
    if len(parts) != 2 or parts[1] in _NOT_CONFIGURATION:
        raise PathRejected(
            path,
            message(
                "path.not-a-configuration",
                "{path!r} is not a configuration file in dtui's own folder",
                path=path,
            ),
        )
    return os.path.join(root, *parts)
