"""``start``: begin this node's part of a run, under a supervisor that needs no console.

Arguments: ``project``, ``run``, ``node``, ``ranks`` (``[{"rank", "local_rank", "argv", "env"}]``), and
optionally ``interpreter``, ``grace`` (seconds), ``force`` (start beside a run that is under way), ``methods``
(of agent.detach). The result is the run's status with ``method``, how the supervisor was detached, and
``tried``, why not otherwise. All of the node's processes run then, or none does.
"""

from __future__ import annotations

import os
import sys
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Dict, List

from agent import durable
from agent.detach import NotDetached, detach
from agent.operations.run_arguments import folder_of
from agent.operations.stop import end_run
from agent.paths import shown
from agent.server import Cancelled, OperationError
from agent.supervisor.folder import RunFolder, read_status, run_folders, write
from agent.supervisor.spec import SpecError, parse
from agent.supervisor.status import FINAL, Status, rank_processes, seen

if TYPE_CHECKING:
    from agent.server import Call

_LOOK_EVERY = 0.02
#: Seconds for a supervisor that has come up to start its processes.
_SPAWN_LIMIT = 60.0


def start(call: Call) -> Dict[str, Any]:
    """Start the ranks and wait until all run; leaves none when one can't, or the console leaves."""
    folder = folder_of(call)
    if not os.path.isdir(folder.root):
        raise OperationError(
            "no-project", "there is no folder %s" % shown(folder.root), "deploy to this node first"
        )
    spec = {key: call.args.get(key) for key in ("run", "node", "interpreter", "ranks")}
    spec["grace"] = call.args.get("grace", 30.0)
    try:
        parse(spec)
    except SpecError as error:
        raise OperationError("spec", str(error), "") from None
    _announce(folder, spec)
    if not call.args.get("force"):
        try:
            _refuse_beside_others(folder)
        except OperationError:
            _withdraw(folder)
            raise
    try:
        answer = _bring_up(call, folder)
        if call.cancelled.is_set():
            raise Cancelled
        return answer
    except BaseException:
        # Also when the console left: of a gang that did not come together nothing stays.
        end_run(folder, grace=0.0)
        raise


def _announce(folder: RunFolder, spec: Dict[str, Any]) -> None:
    """Make the run known before looking for others: of two starts at once, at most one goes on.

    The folder may exist: the master keeps its recording of the run in the same place.
    """
    try:
        os.makedirs(folder.path, exist_ok=True)
        os.close(os.open(folder.spec, os.O_CREAT | os.O_EXCL | os.O_WRONLY))
    except FileExistsError:
        raise OperationError("exists", "run %s exists already" % folder.run, "start under a new id") from None
    except OSError as error:
        raise OperationError(
            "filesystem",
            "%s: %s" % (shown(folder.path), error.strerror or error),
            "check the user's rights to the project's folder",
        ) from None
    unborn = {"run": folder.run, "node": spec["node"], "state": "starting", "error": "", "ranks": []}
    write(folder.status, {**unborn, "supervisor": None, "at": time.time()})
    write(folder.spec, spec)


def _withdraw(folder: RunFolder) -> None:
    for path in (folder.status, folder.spec):
        durable.remove(path)
    with suppress(OSError):
        os.rmdir(folder.path)  # stays when there is anything else in it


def _refuse_beside_others(folder: RunFolder) -> None:
    for other in run_folders(folder.root):
        status = seen(other) if other.run != folder.run else None
        if status is None or status["state"] in FINAL:
            continue
        if status["state"] != "lost":
            raise OperationError(
                "busy",
                "run %s is under way in this project (%s)" % (other.run, status["state"]),
                "stop it first: dtui stop %s" % other.run,
            )
        left = rank_processes(other, status)
        if left:
            raise OperationError(
                "busy",
                "run %s has lost its supervisor, and %d of its processes still run" % (other.run, len(left)),
                "end them first: dtui stop %s" % other.run,
            )


def _bring_up(call: Call, folder: RunFolder) -> Dict[str, Any]:
    argv = [sys.executable, "-I", call.archive, "supervise", shown(folder.path)]
    methods: List[str] = list(call.args.get("methods") or [])
    try:
        detached = detach(
            argv,
            folder=shown(folder.path),
            name="dtui-" + folder.run,
            started=folder.claim,
            methods=methods,
        )
    except NotDetached as error:
        status = read_status(folder) or {}
        write(folder.status, {**status, "state": "failed", "error": str(error), "at": time.time()})
        raise OperationError(
            "not-started", "the run's supervisor did not come up: %s" % error, _last_words(folder)
        ) from None
    return {**_await_ranks(call, folder), "method": detached.method, "tried": detached.tried}


def _await_ranks(call: Call, folder: RunFolder) -> Status:
    deadline = time.monotonic() + _SPAWN_LIMIT
    while True:
        status = seen(folder)
        state = "lost" if status is None else status["state"]
        up = state in ("running", "stopping") or (state in FINAL and not (status or {}).get("error"))
        if status is not None and up:
            return status
        if state in FINAL or state == "lost":
            reason = (status or {}).get("error") or "its supervisor ended"
            raise OperationError("not-started", str(reason), _last_words(folder))
        if time.monotonic() > deadline:
            raise OperationError(
                "not-started",
                "the ranks did not start within %.0f s" % _SPAWN_LIMIT,
                "look at %s" % shown(folder.supervisor_log),
            )
        if call.cancelled.wait(_LOOK_EVERY):
            raise Cancelled


def _last_words(folder: RunFolder) -> str:
    try:
        with open(folder.supervisor_log, "rb") as file:
            lines = file.read()[-2000:].decode("utf-8", "replace").strip().splitlines()
    except OSError:
        return "its log is empty: is the node's Python blocked from starting processes?"
    return "the supervisor's last words: %s" % " / ".join(lines[-3:])
