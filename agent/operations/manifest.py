"""``manifest``: compare the console's list of files with the project on this node.

Arguments: ``project``; ``deploy`` as in agent.tree.lock; ``source``, a file name that exists in the
console's own ``.dtui``; ``dry_run``. The upload is the list (agent.tree.format). Items
are pieces of the packed answer (agent.tree.compare), and ``{"hashed": bytes}`` while files are read.
"""

from __future__ import annotations

import os
import shutil
import time
from typing import TYPE_CHECKING, Any, Dict

from agent.paths import PathRejected, project_root
from agent.server import OperationError
from agent.tree.commit import recover
from agent.tree.compare import Answer, as_json, compare
from agent.tree.errors import explained
from agent.tree.format import ListError, Unpacker, pack
from agent.tree.lock import Lock
from agent.tree.places import OWN, Tree
from agent.tree.record import load
from agent.tree.staging import Staging

if TYPE_CHECKING:
    from agent.server import Call


def manifest(call: Call) -> Dict[str, Any]:
    """Answer what differs; the result tells free bytes, and whether this is the console's own folder."""
    text = str(call.args["project"])
    with explained(text):
        root = project_root(text)
        entries = _entries(call)
        if os.path.exists(os.path.join(root, OWN, os.path.basename(str(call.args["source"])))):
            return {"same_folder": True, "free": 0}
        if os.path.lexists(root) and not os.path.isdir(root):
            raise OperationError("path", f"{text} is a file, not a folder", "give another project folder")
        if call.args.get("dry_run"):
            answer = _answer(call, root, entries)
        else:
            with Lock(root, str(call.args["deploy"]), call.cancelled):
                recover(root)
                answer = _answer(call, root, entries)
    for piece in pack(as_json(answer)):
        call.send("answer", piece)
    return {"same_folder": False, "free": _free(root)}


def _entries(call: Call) -> Any:
    unpacker = Unpacker()
    while True:
        piece = call.receive()
        if piece is None:
            break
        unpacker.feed(piece.payload)
    entries = unpacker.value()
    shape = [str, int, int]
    for entry in entries:
        if not isinstance(entry, list) or len(entry) != 4 or [type(field) for field in entry[:3]] != shape:
            raise ListError(f"{entry!r} is no entry of a list of files")
    return entries


def _answer(call: Call, root: str, entries: Any) -> Answer:
    report = _Progress(call)
    try:
        return compare(Tree(root), entries, load(root), Staging(root), report.add)
    except PathRejected as error:
        raise OperationError("path", str(error), "deploy to another folder") from None


class _Progress:
    """Tells the console now and then how much has been read, and notices when it is gone."""

    def __init__(self, call: Call) -> None:
        self._call = call
        self._bytes = 0
        self._told = time.monotonic()

    def add(self, size: int) -> None:
        self._bytes += size
        if time.monotonic() - self._told > 0.5:
            self._told = time.monotonic()
            self._call.send({"hashed": self._bytes})


def _free(root: str) -> int:
    folder = root
    while not os.path.isdir(folder) and os.path.dirname(folder) != folder:
        folder = os.path.dirname(folder)
    return shutil.disk_usage(folder).free
