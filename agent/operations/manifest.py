"""``manifest``: compare the console's list of files with the project on this node.

Arguments: ``project``; ``deploy`` as in agent.tree.lock; ``source``, a file name that exists in the console's
own ``.dtui``; ``dry_run``; ``sync`` where the folder is data (agent.tree.data). The upload is the list
(agent.tree.format). Items are pieces of the packed answer (agent.tree.compare), and ``{"hashed": bytes}``
while files are read.
"""

from __future__ import annotations

import os
import shutil
import time
from typing import TYPE_CHECKING, List, Optional

from agent.paths import PathRejected, project_root
from agent.private import OWN
from agent.server import OperationError
from agent.tree.commit import recover
from agent.tree.compare import Answer, as_json, compare
from agent.tree.data import find_differences, find_missing
from agent.tree.errors import explained
from agent.tree.format import Unpacker, pack
from agent.tree.lock import Lock
from agent.tree.origin import other_origin
from agent.tree.places import Tree
from agent.tree.record import load
from agent.tree.sharing import first_node
from agent.tree.staging import Staging
from agent.wire.deploy import Entry, ManifestArgs, ManifestItem, ManifestResult
from agent.wire.message import message

if TYPE_CHECKING:
    from agent.server import Call

    Request = Call[ManifestArgs, None, ManifestItem]


def manifest(call: Request) -> ManifestResult:
    """Answer with the differences; the result has the free bytes, and if this is the console's own folder."""
    text = call.args["project"]

    def waiting(seconds: float) -> None:
        call.send({"hashed": None, "waiting": seconds})

    with explained(text):
        root = project_root(text)
        entries = _entries(call)
        if os.path.exists(os.path.join(root, OWN, os.path.basename(call.args["source"]))):
            return {"same_folder": True, "shares": None, "other": None, "free": 0}
        if os.path.lexists(root) and not os.path.isdir(root):
            raise OperationError(
                "path",
                message("deploy.project-is-a-file", "{path} is a file, not a folder", path=text),
                message("deploy.project-is-a-file.remedy", "give another project folder"),
            )
        shares = None
        other = _other(call, root, entries)
        if call.args.get("dry_run"):
            answer = _answer(call, root, entries)
        else:
            with Lock(root, call.args["deploy"], call.cancelled, waiting):
                recover(root)
                shares = first_node(root, call.args["deploy"])
                answer = Answer() if shares is not None else _answer(call, root, entries)
    for piece in pack(as_json(answer)):
        call.send({"hashed": None, "waiting": None}, piece)
    return {"same_folder": False, "shares": shares, "other": other, "free": _free(root)}


def _entries(call: Request) -> List[Entry]:
    unpacker = Unpacker()
    while True:
        piece = call.receive()
        if piece is None:
            break
        unpacker.feed(piece[1])
    return unpacker.value(List[Entry])


def _other(call: Request, root: str, entries: List[Entry]) -> Optional[str]:
    origin = call.args.get("origin")
    if origin is None:
        return None
    return other_origin(root, origin, load(root).keys(), {entry[0] for entry in entries})


def _answer(call: Request, root: str, entries: List[Entry]) -> Answer:
    report = _Progress(call)
    try:
        tree, staging, sync = Tree(root), Staging(root), call.args.get("sync")
        if sync == "once":
            return find_missing(tree, entries, staging, report.add)
        if sync == "mirror":
            return find_differences(tree, entries, load(root), staging, report.add)
        return compare(tree, entries, load(root), staging, report.add)
    except PathRejected as error:
        remedy = message("manifest.path.remedy", "deploy to another folder")
        raise OperationError("path", error.message, remedy) from None


class _Progress:
    """Reports to the console how much has been read, and notices a lost console."""

    def __init__(self, call: Request) -> None:
        self._call = call
        self._bytes = 0
        self._told = time.monotonic()

    def add(self, size: int) -> None:
        self._bytes += size
        if time.monotonic() - self._told > 0.5:
            self._told = time.monotonic()
            self._call.send({"hashed": self._bytes, "waiting": None})


def _free(root: str) -> int:
    folder = root
    while not os.path.isdir(folder) and os.path.dirname(folder) != folder:
        folder = os.path.dirname(folder)
    return shutil.disk_usage(folder).free
