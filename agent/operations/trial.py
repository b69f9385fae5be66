"""``trial``: do the GPUs and the backend work for a rank here, started the way a rank is started?

Arguments: ``project``, ``backend``, ``gpu`` (bool), ``env`` (the rank's). The result is what
:data:`agent.checks.trial.PROGRAM` found, with ``method`` (how it was detached), or ``error`` alone.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import tempfile
import time
from typing import TYPE_CHECKING, Any, Dict

from agent import durable
from agent.checks.trial import PROGRAM
from agent.detach import NotDetached, detach
from agent.operations.run_arguments import project_of
from agent.paths import shown
from agent.server import Cancelled
from agent.supervisor.folder import environment_interpreter
from agent.tree.places import OWN

if TYPE_CHECKING:
    from agent.server import Call

_SECONDS = 90.0
_MARK = "DTUI-TRIAL "


def trial(call: Call) -> Dict[str, Any]:
    """Start the program and wait for its result; leaves nothing behind."""
    root = project_of(call)
    interpreter = environment_interpreter(root)
    if interpreter is None:
        return {"error": "no training interpreter is known here: nothing was deployed yet"}
    folder = tempfile.mkdtemp(prefix="trial-", dir=os.path.join(root, OWN))
    try:
        return _run(call, folder, interpreter, shown(root))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _run(call: Call, folder: str, interpreter: str, root: str) -> Dict[str, Any]:
    kind = "gpu" if call.args.get("gpu") else "cpu"
    argv = [os.path.join(root, interpreter), "-c", PROGRAM, str(call.args["backend"]), kind]
    env = {str(name): str(value) for name, value in (call.args.get("env") or {}).items()}
    durable.write_json(
        os.path.join(folder, "request.json"), {"argv": argv, "cwd": root, "env": env, "seconds": _SECONDS}
    )
    try:
        detached = detach(
            [sys.executable, "-I", call.archive, "trial", shown(folder)],
            folder=shown(folder),
            name="dtui-" + os.path.basename(folder),
            started=os.path.join(folder, "started"),
        )
    except NotDetached as error:
        return {"error": "nothing can be started that outlives the login: %s" % error}
    result = os.path.join(folder, "result.json")
    deadline = time.monotonic() + _SECONDS + 10.0
    while not os.path.exists(result):
        if call.cancelled.wait(0.05):
            raise Cancelled
        if time.monotonic() > deadline:
            return {"error": "no answer within %.0f s" % _SECONDS, "method": detached.method}
    return {**read_result(durable.read_json(result)), "method": detached.method}


def read_result(result: Any) -> Dict[str, Any]:
    """Return what the program found, out of what it printed."""
    output = str((result or {}).get("output") or "")
    for line in output.splitlines():
        if line.startswith(_MARK):
            found: Dict[str, Any] = json.loads(line[len(_MARK) :])
            return found
    if (result or {}).get("status") is None:
        return {"error": "it did not end within %.0f s" % _SECONDS}
    said = " ".join(output.split())[-300:]
    return {"error": "it ended with status %s, saying %r" % (result["status"], said)}
