"""``trial``: whether GPUs and backend work for a process that is started like a rank.

Arguments: ``project``, ``backend``, ``gpu`` (bool), ``env`` (the rank's), ``variables`` (the user's). The
result is what :data:`agent.checks.trial.PROGRAM` found, with ``method`` (how it was detached), or ``error``
alone.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import time
from typing import TYPE_CHECKING, Optional, TypedDict

from agent import durable
from agent.checks.trial import PROGRAM
from agent.detach import NotDetached, detach
from agent.operations.run_arguments import project_of
from agent.paths import shown
from agent.server import Cancelled
from agent.supervisor.folder import environment_interpreter
from agent.tree.staging import own_folder
from agent.wire.decode import WireError, decode
from agent.wire.frames import parse_json
from agent.wire.message import Message, message, to_data
from agent.wire.preflight import TrialArgs, TrialDevice, TrialFindings, TrialResult, TriedDevice

if TYPE_CHECKING:
    from agent.server import Call

    Request = Call[TrialArgs, None, None]

_SECONDS = 90.0
_MARK = "DTUI-TRIAL "


def trial(call: Request) -> TrialResult:
    """Start the program and wait for its result; leaves no files or processes."""
    root = project_of(call)
    interpreter = environment_interpreter(root, call.args["node"])
    if interpreter is None:
        return _failed(
            message("trial.no-interpreter", "no training interpreter is known here: nothing was deployed yet")
        )
    folder = tempfile.mkdtemp(prefix="trial-", dir=own_folder(root))
    try:
        return _run(call, folder, interpreter, shown(root))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _run(call: Request, folder: str, interpreter: str, root: str) -> TrialResult:
    kind = "gpu" if call.args["gpu"] else "cpu"
    argv = [os.path.join(root, interpreter), "-c", PROGRAM, call.args["backend"], kind]
    durable.write_json(
        os.path.join(folder, "request.json"),
        {
            "argv": argv,
            "cwd": root,
            "env": call.args["env"],
            "variables": call.args["variables"],
            "seconds": _SECONDS,
        },
    )
    try:
        detached = detach(
            [sys.executable, "-I", call.archive, "trial", shown(folder)],
            folder=shown(folder),
            name="dtui-" + os.path.basename(folder),
            started=os.path.join(folder, "started"),
        )
    except NotDetached as error:
        return _failed(
            message(
                "trial.not-detached",
                "nothing can be started that outlives the login: {reasons}",
                reasons=error.message,
            )
        )
    result = os.path.join(folder, "result.json")
    deadline = time.monotonic() + _SECONDS + 10.0
    while not os.path.exists(result):
        if call.cancelled.wait(0.05):
            raise Cancelled
        if time.monotonic() > deadline:
            late = message("trial.no-answer", "no answer within {seconds:.0f} s", seconds=_SECONDS)
            return _failed(late, detached.method)
    return read_result(durable.read_json(result), detached.method)


class TrialEnd(TypedDict):
    """``result.json``: exit status (None after the time limit) and output of the trial's program."""

    status: Optional[int]
    output: str


def read_result(result: object, method: Optional[str] = None) -> TrialResult:
    """Return what the program found, taken from its output."""
    try:
        ended = decode(TrialEnd, result)
    except WireError as error:
        invalid = message("trial.invalid-result", "its result is not valid: {error}", error=str(error))
        return _failed(invalid, method)
    for line in ended["output"].splitlines():
        if line.startswith(_MARK):
            try:
                found = decode(TrialFindings, parse_json(line[len(_MARK) :].encode("utf-8")), tolerant=True)
            except ValueError as error:
                invalid = message(
                    "trial.invalid-output", "its output is not valid: {error}", error=str(error)
                )
                return _failed(invalid, method)
            failed = message("trial.failed", "{error}", error=found["error"]) if found["error"] else None
            return {
                "error": None if failed is None else to_data(failed),
                "method": method,
                "devices": [_device(one) for one in found["devices"]],
                "backend": found["backend"],
                "torch": found["torch"],
                "cuda": found["cuda"],
                "hip": found["hip"],
            }
    if ended["status"] is None:
        late = message("trial.timeout", "it did not end within {seconds:.0f} s", seconds=_SECONDS)
        return _failed(late, method)
    ended_early = message(
        "trial.ended",
        "it ended with status {status}, output {said!r}",
        status=ended["status"],
        said=" ".join(ended["output"].split())[-300:],
    )
    return _failed(ended_early, method)


def _device(tried: TriedDevice) -> TrialDevice:
    error = None if tried["error"] is None else Message(tried["error"])
    if error is None and tried["wrong"] is not None:
        error = message(
            "trial.wrong-result",
            "the computation returned {value} instead of {expected}",
            value=tried["wrong"],
            expected=repr(256.0**3),
        )
    return {
        "index": tried["index"],
        "name": tried["name"],
        "error": None if error is None else to_data(error),
        "seconds": tried["seconds"],
    }


def _failed(error: Message, method: Optional[str] = None) -> TrialResult:
    return {
        "error": to_data(error),
        "method": method,
        "devices": [],
        "backend": None,
        "torch": None,
        "cuda": None,
        "hip": None,
    }
