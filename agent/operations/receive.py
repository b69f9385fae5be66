"""``receive``: take the contents that ``manifest`` asked for and put the new tree into place.

Arguments: ``project`` and ``deploy`` as for ``manifest``, ``origin`` (agent.tree.origin) and ``mirror``: the
plan's deletions are carried out although no deploy has put the files there. The upload begins with pieces of
body ``"plan"``, the packed plan; then come pieces ``[compressed, segments]`` with contents
(agent.tree.receive), and at last ``"commit"``. Without it nothing changes, and what has arrived waits.
"""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING, Dict, List, Sequence, Tuple

from agent.paths import project_root, shown
from agent.server import OperationError
from agent.tree.commit import commit, recover
from agent.tree.errors import disk_full, explained, is_full
from agent.tree.format import Unpacker
from agent.tree.lock import Lock
from agent.tree.origin import record_origin
from agent.tree.places import Tree
from agent.tree.receive import Damaged, Incoming, Receiver, dress, incoming
from agent.tree.record import Record, Recorded, load
from agent.tree.staging import Staging
from agent.wire.deploy import ReceiveArgs, ReceivePiece, ReceiveResult, TransferPlan, WaitItem
from agent.wire.message import message

if TYPE_CHECKING:
    from agent.server import Call

    Request = Call[ReceiveArgs, ReceivePiece, WaitItem]
    Upload = Tuple[ReceivePiece, bytes]

#: Left free for the journal, the record and folders.
_RESERVE = 256 * 1024
_CLUSTER = 4096


def receive(call: Request) -> ReceiveResult:
    """Return how many files were put, deleted and adjusted."""
    text = call.args["project"]

    def waiting(seconds: float) -> None:
        call.send({"waiting": seconds})

    with explained(text):
        root = project_root(text)
        with Lock(root, call.args["deploy"], call.cancelled, waiting) as lock:
            recover(root)
            plan, first = _plan(call)
            files = incoming(plan["files"])
            tree, staging = Tree(root), Staging(root)
            for path in [file.path for file in files] + [entry[0] for entry in plan["adjust"]]:
                tree.place(path)
            staging.prepare(file.name for file in files)
            try:
                _check_room(root, files)
                digests = _contents(call, first, staging, files)
                if not lock.held:
                    raise OperationError(
                        "taken-over",
                        message("deploy.taken-over", "another deploy took this one's place"),
                        message("deploy.taken-over.remedy", "see the output of that deploy"),
                    )
                mirror = call.args.get("mirror", False)
                deleted = _commit(root, staging, plan, files, digests, mirror=mirror)
                origin = call.args.get("origin")
                if origin is not None:
                    record_origin(root, origin)
            except OSError as error:
                if is_full(error) and lock.held:
                    staging.discard()
                    raise disk_full(
                        message(
                            "deploy.disk-ran-full",
                            "no room on the disk of {folder}: it ran full while files were written; "
                            "nothing was changed",
                            folder=shown(root),
                        )
                    ) from None
                raise
    return {"files": len(files), "deleted": deleted, "adjusted": len(plan["adjust"])}


def _plan(call: Request) -> Tuple[TransferPlan, Upload]:
    unpacker = Unpacker()
    while True:
        piece = call.receive()
        if piece is None:
            raise _incomplete()
        if piece[0]["step"] != "plan":
            return unpacker.value(TransferPlan), piece
        unpacker.feed(piece[1])


def _contents(call: Request, piece: Upload, staging: Staging, files: Sequence[Incoming]) -> Dict[str, str]:
    receiver = Receiver(staging, files)
    try:
        while piece[0]["step"] == "contents":
            body, payload = piece
            receiver.write(body["segments"], payload, body["compressed"])
            following = call.receive()
            if following is None:
                raise _incomplete()
            piece = following
    finally:
        receiver.close()
    missing = receiver.missing()
    if missing:
        raise Damaged(
            message("deploy.contents-missing", "the contents of {path!r} did not arrive", path=missing[0])
        )
    return receiver.digests


def _commit(
    root: str,
    staging: Staging,
    plan: TransferPlan,
    files: Sequence[Incoming],
    digests: Dict[str, str],
    *,
    mirror: bool,
) -> int:
    tree = Tree(root)  # read again: the copy may have taken hours
    record = load(root)
    deletes = [path for path in plan["delete"] if _deletable(tree, record, path, mirror=mirror)]
    for path in [*plan["delete"], *plan["forget"]]:
        record.pop(path, None)
    _forget_other_case(tree, record, files)
    moves: List[Tuple[str, str, str]] = []
    for file in files:
        tree.place(file.path)
        status = os.lstat(staging.place(file.name))
        if status.st_size != file.size:
            raise Damaged(
                message(
                    "deploy.staged-size",
                    "{path!r} has {size} bytes staged, not {expected}",
                    path=file.path,
                    size=status.st_size,
                    expected=file.size,
                )
            )
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


def _deletable(tree: Tree, record: Record, path: str, *, mirror: bool) -> bool:
    found, entry = tree.find(path), record.get(path)
    if mirror:
        return found is not None and found.kind in ("file", "link")
    return entry is not None and entry.ours and entry.unchanged(found)


def _forget_other_case(tree: Tree, record: Record, files: Sequence[Incoming]) -> None:
    """Drop records whose name is the same as a new file's for this system."""
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
            message(
                "deploy.disk-too-small",
                "no room on the disk of {folder}: {needed} are needed in {folder} and {free} are free; "
                "nothing was changed",
                folder=shown(root),
                needed=_megabytes(need),
                free=_megabytes(free),
            )
        )


def _megabytes(size: int) -> str:
    return f"{size / 1e6:.1f} MB"


def _incomplete() -> OperationError:
    return OperationError(
        "incomplete",
        message("deploy.incomplete", "the console left before everything was there; nothing was changed"),
        message("deploy.incomplete.remedy", "deploy again"),
    )
