"""``program``: run the training interpreter in the project to its end, and hand over the file that it writes.

Arguments: ``project``; ``argv``, what follows the interpreter, ``{out}`` in it standing for the file's path;
``suffix``, of that file's name; ``env``, added to this process's; ``interpreter``, if not that of the last
deploy; ``seconds``, after which it is ended. Items are ``{"text": output}`` and ``{"quiet": seconds}``, then
the file's bytes as payloads. The result is ``{"status", "tail", "size"}``: exit status, last lines printed,
and the file's length, None when it was not written. Nothing of it stays on the node.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from typing import TYPE_CHECKING, Any, Dict, Optional

from agent import command
from agent.operations.run_arguments import project_of
from agent.paths import shown
from agent.protocol import MAX_PAYLOAD
from agent.server import OperationError
from agent.supervisor.folder import environment_interpreter
from agent.tree.places import OWN

if TYPE_CHECKING:
    from agent.server import Call

OUT = "{out}"
_LARGEST = 64 << 20


def program(call: Call) -> Dict[str, Any]:
    """Run it; when the console has enough, it and all that it started are ended."""
    root = project_of(call)
    chosen = str(call.args.get("interpreter") or "") or environment_interpreter(root)
    if not chosen:
        raise OperationError(
            "environment", "no training interpreter is known here", "deploy to this node first"
        )
    interpreter = os.path.join(shown(root), os.path.expanduser(chosen))
    own = os.path.join(root, OWN)
    os.makedirs(own, exist_ok=True)
    folder = tempfile.mkdtemp(prefix="program-", dir=own)
    try:
        out = os.path.join(folder, "out" + os.path.basename(str(call.args.get("suffix") or "")))
        argv = [interpreter, *(shown(out) if word == OUT else str(word) for word in call.args["argv"])]
        result = _run(call, argv, shown(root))
        size = _send(call, out)
        return {"status": result.status, "tail": result.tail, "size": size}
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _run(call: Call, argv: Any, root: str) -> command.Result:
    env = {str(name): str(value) for name, value in (call.args.get("env") or {}).items()}
    seconds = float(call.args["seconds"])
    try:
        return command.run(
            argv,
            cwd=root,
            env=command.environment(env),
            cancelled=call.cancelled,
            output=lambda text: call.send({"text": text}),
            quiet=lambda silence: call.send({"quiet": silence}),
            timeout=seconds,
        )
    except TimeoutError:
        raise OperationError("timeout", "it did not end within %.0f s, and was ended" % seconds, "") from None
    except OSError as error:
        raise OperationError(
            "interpreter",
            "%s can't be started: %s" % (argv[0], error.strerror or error),
            "deploy again, which looks for the interpreter",
        ) from None


def _send(call: Call, path: str) -> Optional[int]:
    try:
        size = os.path.getsize(path)
    except OSError:
        return None
    if size > _LARGEST:
        raise OperationError("too-large", "it wrote %d bytes, and %d may come back" % (size, _LARGEST), "")
    with open(path, "rb") as file:
        while True:
            piece = file.read(MAX_PAYLOAD)
            if not piece:
                return size
            call.send(payload=piece)
