"""``prune``: delete this node's folders of runs that have ended, or measure them.

Arguments: ``project``; ``node``; ``runs``: ids; ``delete``: false only measures. Only
``<project>/.dtui/runs/<id>`` and ``.dtui/displaced-<id>-*`` are deleted: what a training program wrote into
the project (``checkpoints/``, ``logs/``) stays. The result is ``{"runs": [{"run", "bytes", "state",
"reason"}]}`` in the order asked for. ``state`` is ``absent`` (this node has no such folder), ``idle`` (it can
be deleted), ``removed``, ``active`` (not deleted: the run has not ended here, or processes of it are left) or
``failed`` (not deleted, or not wholly). ``reason`` explains the last two.
"""

from __future__ import annotations

import os
import shutil
from contextlib import suppress
from typing import TYPE_CHECKING, Optional, Tuple

from agent.file_status import age, leads_elsewhere
from agent.operations.run_arguments import project_of
from agent.paths import PathRejected, shown
from agent.private import OWN
from agent.server import OperationError
from agent.supervisor.folder import RunFolder, displaced_folders, folder_of_node, shared_folders
from agent.supervisor.status import FINAL, START_LIMIT, rank_processes, seen
from agent.wire.message import EMPTY, Message, message, to_data
from agent.wire.reasons import system_reason
from agent.wire.runs import FolderState, PruneArgs, PruneResult, RunOnNode

if TYPE_CHECKING:
    from agent.server import Call

    Request = Call[PruneArgs, None, None]


#: The record of a run, which the master keeps in the same folder (fleet.runs.store).
_OF_MASTER = frozenset(
    [
        "plan.json",
        "origin.json",
        "events.jsonl",
        "output",
        "dropped.json",
        "recorder.lock",
        "telemetry",
        "plans",
    ]
)


def prune(call: Request) -> PruneResult:
    """Answer for each run; one that cannot be deleted does not stop the others."""
    root = project_of(call)
    folders = [_folder(root, run, call.args.get("node")) for run in call.args["runs"]]
    _refuse_links(root)
    return {"runs": [_prune(folder, call.args["delete"]) for folder in folders]}


def _folder(root: str, run: str, node: Optional[str]) -> RunFolder:
    try:
        return folder_of_node(root, run, node)
    except PathRejected as error:
        remedy = message("prune.path.remedy", "name the run by its id")
        raise OperationError("path", error.message, remedy) from None


def _refuse_links(root: str) -> None:
    """Raise OperationError when ``.dtui/runs`` is a link: its target does not belong to dtui."""
    place = root
    for name in (OWN, "runs"):
        place = os.path.join(place, name)
        if _is_link(place):
            raise OperationError(
                "path",
                message(
                    "prune.through-link",
                    "{folder} is a link to another place, and dtui deletes nothing through links",
                    folder=shown(place),
                ),
                message("prune.through-link.remedy", "delete the runs in that folder manually"),
            )


def _prune(folder: RunFolder, delete: bool) -> RunOnNode:
    size, state, reason = _outcome(folder, delete)
    return {"run": folder.run, "bytes": size, "state": state, "reason": to_data(reason)}


def _outcome(folder: RunFolder, delete: bool) -> Tuple[int, FolderState, Message]:
    if _is_link(folder.path):
        what = message("prune.link", "{folder} is a link to another place", folder=shown(folder.path))
        return 0, "failed", what
    if not os.path.isdir(folder.path):
        return 0, "absent", EMPTY
    active = _activity(folder)
    size = _size_of(folder)
    if active:
        return size, "active", active
    if not delete:
        return size, "idle", EMPTY
    try:
        _remove(folder)
    except OSError as error:
        left = _size_of(folder)
        place = shown(str(error.filename or folder.path))
        what = message(
            "prune.failed",
            "{path} cannot be deleted: {error}",
            path=place,
            error=system_reason(error),
        )
        return size - left, "failed", what
    return size, "removed", EMPTY


def _remove(folder: RunFolder) -> None:
    """Delete the folder, but for what other nodes and the master have in it; raises OSError."""
    for displaced in displaced_folders(folder):
        shutil.rmtree(displaced)
    others = {os.path.basename(one.path) for one in shared_folders(folder)}
    above = os.path.dirname(folder.path)
    if not others:
        # It refuses a folder that has become a link, and enters none below it.
        shutil.rmtree(folder.path)
        if os.path.basename(above) != "runs":
            _remove_empty(above)
        return
    for entry in list(os.scandir(folder.path)):
        if entry.name in others or entry.name in _OF_MASTER:
            continue
        if entry.is_dir(follow_symlinks=False):
            shutil.rmtree(entry.path)
        else:
            os.remove(entry.path)
    _remove_empty(folder.path)


def _remove_empty(folder: str) -> None:
    """Remove a folder of a run once the last node that shares it has left."""
    with suppress(OSError):
        os.rmdir(folder)


def _activity(folder: RunFolder) -> Message:
    """Return why the run has not ended here; empty when it has."""
    if not os.path.exists(folder.status) and not os.path.exists(folder.spec):
        return EMPTY  # the master's own record of a run, or what an interrupted deletion left
    status = seen(folder)
    if status is None:
        # A start wrote only the specification: it is in progress, or it failed.
        return message("prune.starting", "it is being started") if age(folder.spec) < START_LIMIT else EMPTY
    state = status["state"]
    if state == "lost":
        return message("prune.lost", "its supervisor has ended unexpectedly; its ranks may still be running")
    if state not in FINAL:
        return message("prune.active", "it is still {state}", state=state)
    left = rank_processes(folder, status)
    if not left:
        return EMPTY
    return message("prune.processes", "{count:n process/processes} of it still running", count=len(left))


def _size_of(folder: RunFolder) -> int:
    return sum(_size(path) for path in (folder.path, *displaced_folders(folder)))


def _size(path: str) -> int:
    """Return the bytes of all files below ``path``, following no link."""
    total = 0
    for folder, _, files in os.walk(path):
        for name in files:
            try:
                total += os.lstat(os.path.join(folder, name)).st_size
            except OSError:
                continue  # removed meanwhile
    return total


def _is_link(path: str) -> bool:
    try:
        found = os.lstat(path)
    except OSError:
        return False
    return leads_elsewhere(found)
