"""``receive``: take the contents that ``manifest`` asked for and put the new tree into place.

Arguments: ``project`` and ``deploy`` as for ``manifest``. The upload begins with pieces of body
``"plan"``, the packed plan; then come pieces ``[compressed, segments]`` with contents
(agent.tree.receive), and at last ``"commit"``. Without it nothing changes, and what has arrived waits.
"""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING, Any, Dict, List, Sequence, Tuple

from agent.paths import project_root, shown
from agent.server import OperationError
from agent.tree.commit import commit, recover
from agent.tree.errors import disk_full, explained, is_full
from agent.tree.format import Unpacker
from agent.tree.lock import Lock
from agent.tree.places import Tree
from agent.tree.receive import Damaged, Incoming, Receiver, dress, incoming
from agent.tree.record import Record, Recorded, load
from agent.tree.staging import Staging

if TYPE_CHECKING:
    from agent.server import Call, Piece

#: Left free for the journal, the record and folders.
_RESERVE = 256 * 1024
_CLUSTER = 4096


def receive(call: Call) -> Dict[str, Any]:
    """Return how many files were put, deleted and adjusted."""
    text = str(call.args["project"])
    with explained(text):
        root = project_root(text)
        with Lock(root, str(call.args["deploy"]), call.cancelled) as lock:
            recover(root)
            plan, piece = _plan(call)
            files = incoming(plan["files"])
            tree, staging = Tree(root), Staging(root)
            for path in [file.path for file in files] + [entry[0] for entry in plan["adjust"]]:
                tree.place(path)
            staging.prepare(file.name for file in files)
            try:
                _check_room(root, files)
                digests = _contents(call, piece, staging, files)
                if not lock.held:
                    raise OperationError(
                        "taken-over", "another deploy took this one's place", "look at that one"
                    )
                deleted = _commit(root, staging, plan, files, digests)
            except OSError as error:
                if is_full(error) and lock.held:
                    staging.discard()
                    raise disk_full(root, "it ran full while files were written") from None
                raise
    return {"files": len(files), "deleted": deleted, "adjusted": len(plan["adjust"])}


def _plan(call: Call) -> Tuple[Any, Piece]:
    unpacker = Unpacker()
    while True:
        piece = call.receive()
        if piece is None:
            raise _incomplete()
        if piece.body != "plan":
            return unpacker.value(), piece
        unpacker.feed(piece.payload)


def _contents(call: Call, piece: Piece, staging: Staging, files: Sequence[Incoming]) -> Dict[str, str]:
    receiver = Receiver(staging, files)
    try:
        while piece.body != "commit":
            compressed, segments = piece.body
            receiver.take(segments, piece.payload, compressed)
            following = call.receive()
            if following is None:
                raise _incomplete()
            piece = following
    finally:
        receiver.close()
    missing = receiver.missing()
    if missing:
        raise Damaged(f"contents of {missing[0]!r} did not come")
    return receiver.digests


def _commit(
    root: str, staging: Staging, plan: Any, files: Sequence[Incoming], digests: Dict[str, str]
) -> int:
    tree = Tree(root)  # a fresh look: the copy may have taken hours
    record = load(root)
    deletes = [path for path in plan["delete"] if _deletable(tree, record, path)]
    for path in [*plan["delete"], *plan["forget"]]:
        record.pop(path, None)
    _forget_other_case(tree, record, files)
    moves: List[Tuple[str, str, str]] = []
    for file in files:
        tree.place(file.path)
        status = os.lstat(staging.place(file.name))
        if status.st_size != file.size:
            raise Damaged(f"{file.path!r} has {status.st_size} bytes staged, not {file.size}")
        digest = digests[file.path]
        moves.append((file.name, file.path, digest))
        record[file.path] = Recorded(file.size, file.mtime_ns, status.st_mtime_ns, digest, True)
    for path, size, mtime_ns, executable, digest in plan["adjust"]:
        place, old = tree.place(path), record.get(path)
        dress(place, mtime_ns, executable)
        ours = old is not None and old.ours
        record[path] = Recorded(size, mtime_ns, os.lstat(place).st_mtime_ns, digest, ours)
    commit(root, moves, deletes, record)
    return len(deletes)


def _deletable(tree: Tree, record: Record, path: str) -> bool:
    entry = record.get(path)
    return entry is not None and entry.ours and entry.unchanged(tree.find(path))


def _forget_other_case(tree: Tree, record: Record, files: Sequence[Incoming]) -> None:
    """Drop records whose name differs from a new file's only as this system does not tell apart."""
    names = {tree.fold(file.path): file.path for file in files}
    for path in list(record):
        if names.get(tree.fold(path), path) != path:
            del record[path]


def _check_room(root: str, files: Sequence[Incoming]) -> None:
    need = sum((file.size - file.start + _CLUSTER - 1) // _CLUSTER * _CLUSTER for file in files) + _RESERVE
    free = shutil.disk_usage(root).free
    if files and need > free:
        Staging(root).discard()
        raise disk_full(
            root, f"{_megabytes(need)} are needed in {shown(root)} and {_megabytes(free)} are free"
        )


def _megabytes(size: int) -> str:
    return f"{size / 1e6:.1f} MB"


def _incomplete() -> OperationError:
    return OperationError(
        "incomplete", "the console left before everything was there; nothing was changed", "deploy again"
    )
