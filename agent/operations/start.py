"""``start``: starts this node's part of a run, under a supervisor that does not depend on the console.

Arguments: ``project``, ``run``, ``node``, ``ranks`` (``[{"rank", "local_rank", "argv", "env"}]``), and
optionally ``interpreter``, ``grace`` (seconds), ``log_limit`` (bytes of each rank's log), ``force`` (start
even if another run is active), ``secrets`` (``{name: value}``, variables of every rank that go into no file,
see agent.secrets), ``variables`` (the user's), ``workdir``, ``methods`` (of agent.detach). The result is the
run's status with ``method``, how the supervisor was detached, and ``tried``, why not otherwise. All of the
node's processes run then, or none does.
"""

from __future__ import annotations

import os
import sys
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Dict, Iterator

from agent import durable
from agent.detach import NotDetached, detach
from agent.operations.run_arguments import folder_of
from agent.operations.stop import end_run
from agent.paths import shown
from agent.private import FILE_MODE
from agent.secrets import Delivery, SecretsError, checked
from agent.server import Cancelled, OperationError
from agent.supervisor.folder import RunFolder, read_status, run_folders, take_folder, write, write_status
from agent.supervisor.log_limit import LIMIT
from agent.supervisor.spec import DEFAULT_GRACE, FORMAT, RunSpec, SpecError, check
from agent.supervisor.status import FINAL, Status, rank_processes, seen
from agent.wire.message import EMPTY, NO_MESSAGE, Message, from_data, message, to_data
from agent.wire.reasons import system_reason
from agent.wire.runs import StartArgs, StartResult

if TYPE_CHECKING:
    from agent.server import Call

    Request = Call[StartArgs, None, None]

_POLL_INTERVAL = 0.02
#: Seconds that a running supervisor may take to start its processes.
_SPAWN_LIMIT = 60.0
#: A program that moves the folder of its run as soon as it runs: the supervisor puts it back.
_MOVED_LIMIT = 5.0


def start(call: Request) -> StartResult:
    """Start the ranks and wait until all run; leaves none when one can't, or the console leaves."""
    wanted = folder_of(call)
    if not os.path.isdir(wanted.root):
        raise OperationError(
            "no-project",
            message("start.no-project", "there is no folder {folder}", folder=shown(wanted.root)),
            message("start.no-project.remedy", "deploy to this node first"),
        )
    spec: RunSpec = {
        "version": FORMAT,
        "run": call.args["run"],
        "node": call.args["node"],
        "interpreter": call.args.get("interpreter"),
        "grace": call.args.get("grace", DEFAULT_GRACE),
        "ranks": call.args["ranks"],
        "log_limit": call.args.get("log_limit", LIMIT),
        "observe": call.args.get("observe", True),
        "variables": call.args.get("variables", {}),
        "workdir": call.args.get("workdir", ""),
    }
    try:
        check(spec)
        secrets = checked(call.args.get("secrets") or {})
    except (SpecError, SecretsError) as error:
        raise OperationError("spec", error.message) from None
    set_otherwise = {*spec["variables"], *(name for rank in spec["ranks"] for name in rank["env"])}
    taken = sorted(set_otherwise & set(secrets))
    if taken:
        raise OperationError(
            "spec",
            message("start.secret-in-env", "{name} is a secret and also in `env`", name=taken[0]),
            message("start.secret-in-env.remedy", "keep one of the two"),
        )
    folder = _announce(wanted, spec)
    if not call.args.get("force"):
        try:
            _refuse_beside_others(folder, spec["node"])
        except OperationError:
            _withdraw(folder)
            raise
    try:
        with _offered(folder, spec, secrets):
            answer = _bring_up(call, folder)
        if call.cancelled.is_set():
            raise Cancelled
        return answer
    except BaseException:
        # Also when the console has disconnected: if not all ranks start, none may stay.
        end_run(folder, grace=0.0)
        raise


def _announce(folder: RunFolder, spec: RunSpec) -> RunFolder:
    """Record the run before checking for others: of two concurrent starts, at most one continues.

    The folder may exist: the master keeps its recording of the run in the same place, and so do nodes that
    share the project's folder. Returns the node's own.
    """
    try:
        folder = take_folder(folder.root, folder.run, spec["node"])
        os.close(os.open(folder.spec, os.O_CREAT | os.O_EXCL | os.O_WRONLY, FILE_MODE))
    except FileExistsError:
        raise OperationError(
            "exists",
            message("start.exists", "run {run} exists already", run=folder.run),
            message("start.exists.remedy", "start under a new id"),
        ) from None
    except OSError as error:
        raise OperationError(
            "filesystem",
            message(
                "start.file-system",
                "{path}: {error}",
                path=shown(folder.path),
                error=system_reason(error),
            ),
            message("start.file-system.remedy", "check the user's rights to the project's folder"),
        ) from None
    unborn: Status = {
        "run": folder.run,
        "node": spec["node"],
        "state": "starting",
        "error": NO_MESSAGE,
        "supervisor": None,
        "ranks": [],
        "at": time.time(),
    }
    write_status(folder, unborn)
    write(folder.spec, spec)
    return folder


@contextmanager
def _offered(folder: RunFolder, spec: RunSpec, secrets: Dict[str, str]) -> Iterator[None]:
    """Let the run's supervisor fetch the secrets while it starts; its specification holds only the names."""
    if not secrets:
        yield
        return
    try:
        delivery = Delivery(folder.path, secrets)
    except SecretsError as error:
        remedy = message("start.secrets.remedy", "check the user's rights to the project's folder")
        raise OperationError("secrets", error.message, remedy) from None
    try:
        spec["secrets"] = delivery.reference.as_json()
        write(folder.spec, spec)
        yield
    finally:
        delivery.close()


def _withdraw(folder: RunFolder) -> None:
    for path in (folder.status, folder.spec, folder.owner):
        durable.remove(path)
    with suppress(OSError):
        os.rmdir(folder.path)  # stays when there is anything else in it


def _refuse_beside_others(folder: RunFolder, node: str) -> None:
    for other in run_folders(folder.root, node):
        status = seen(other) if other.run != folder.run else None
        if status is None or status["state"] in FINAL:
            continue
        if status["state"] != "lost":
            raise OperationError(
                "busy",
                message(
                    "start.busy",
                    "run {run} is under way in this project ({state})",
                    run=other.run,
                    state=status["state"],
                ),
                message("start.busy.remedy", "stop it first: dtui stop {run}", run=other.run),
            )
        left = rank_processes(other, status)
        if left:
            raise OperationError(
                "busy",
                message(
                    "start.processes-left",
                    "run {run} has lost its supervisor, and {count} of its processes still run",
                    run=other.run,
                    count=len(left),
                ),
                message("start.processes-left.remedy", "end them first: dtui stop {run}", run=other.run),
            )


def _bring_up(call: Request, folder: RunFolder) -> StartResult:
    argv = [sys.executable, "-I", call.archive, "supervise", shown(folder.path)]
    methods = call.args.get("methods", [])
    try:
        detached = detach(
            argv,
            folder=shown(folder.path),
            name="dtui-" + folder.run,
            started=folder.claim,
            methods=methods,
        )
    except NotDetached as error:
        status = read_status(folder)
        if status is not None:
            write_status(
                folder,
                {**status, "state": "failed", "error": to_data(error.message), "at": time.time()},
            )
        failed = message(
            "start.no-supervisor", "the run's supervisor did not start: {reasons}", reasons=error.message
        )
        raise OperationError("not-started", failed, _last_words(folder)) from None
    return {**_await_ranks(call, folder), "method": detached.method, "tried": list(map(str, detached.tried))}


def _await_ranks(call: Request, folder: RunFolder) -> Status:
    deadline = time.monotonic() + _SPAWN_LIMIT
    seen_at = time.monotonic()
    while True:
        status = seen(folder)
        if status is not None:
            seen_at = time.monotonic()
        if (
            time.monotonic() - seen_at > _MOVED_LIMIT
            if status is None
            else status["state"] == "lost" or (status["state"] in FINAL and status["error"]["text"])
        ):
            reason = from_data(status["error"]) if status else EMPTY
            raise OperationError(
                "not-started",
                reason or message("start.supervisor-ended", "its supervisor ended"),
                _last_words(folder),
            )
        if status is not None and status["state"] != "starting":
            return status
        if time.monotonic() > deadline:
            raise OperationError(
                "not-started",
                message(
                    "start.timeout",
                    "the ranks did not start within {seconds:.0f} s",
                    seconds=_SPAWN_LIMIT,
                ),
                message("start.timeout.remedy", "see {file} on the node", file=shown(folder.supervisor_log)),
            )
        if call.cancelled.wait(_POLL_INTERVAL):
            raise Cancelled


def _last_words(folder: RunFolder) -> Message:
    try:
        said = durable.read_file(folder.supervisor_log)[-2000:].decode("utf-8", "replace")
    except OSError:
        return message(
            "start.log-empty.remedy",
            "its log is empty: is the node's Python blocked from starting processes?",
        )
    return message(
        "start.last-words.remedy",
        "the supervisor's last output: {said}",
        said=" / ".join(said.strip().splitlines()[-3:]),
    )
