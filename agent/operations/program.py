"""``program``: runs the training interpreter in the project to its end, and sends the file that it writes.

Arguments: ``project``; ``argv``, what follows the interpreter, ``{out}`` in it standing for the file's path;
``suffix``, of that file's name; ``env``, added to those of a login; ``interpreter``, if not that of the last
deploy; ``seconds``, after which it is ended. Items are ``{"text": output}`` and ``{"quiet": seconds}``, then
the file's bytes as payloads. The result is ``{"status", "tail", "size"}``: exit status, last lines printed,
and the file's length, None when it was not written. Nothing of it stays on the node.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from typing import TYPE_CHECKING, List, Optional

from agent import command
from agent.environments.programs import Programs
from agent.environments.variables import environment_of
from agent.operations.run_arguments import project_of
from agent.paths import shown
from agent.private import regular
from agent.server import OperationError
from agent.supervisor.folder import environment_interpreter
from agent.tree.staging import own_folder
from agent.wire.deploy import OutputItem
from agent.wire.frames import MAX_PAYLOAD
from agent.wire.message import message
from agent.wire.preflight import ProgramArgs, ProgramResult
from agent.wire.reasons import system_reason

if TYPE_CHECKING:
    from agent.server import Call

    Request = Call[ProgramArgs, None, OutputItem]

OUT = "{out}"
_LARGEST = 64 << 20


def program(call: Request) -> ProgramResult:
    """Run it; when the console has enough, it and all that it started are ended."""
    root = project_of(call)
    chosen = call.args.get("interpreter") or environment_interpreter(root, call.args["node"])
    if not chosen:
        raise OperationError(
            "environment",
            message("program.no-interpreter", "no training interpreter is known here"),
            message("program.no-interpreter.remedy", "deploy to this node first"),
        )
    interpreter = os.path.join(shown(root), os.path.expanduser(chosen))
    folder = tempfile.mkdtemp(prefix="program-", dir=own_folder(root))
    try:
        out = os.path.join(folder, "out" + os.path.basename(call.args.get("suffix", "")))
        argv = [interpreter, *(shown(out) if word == OUT else word for word in call.args["argv"])]
        result = _run(call, argv, shown(root))
        size = _send(call, out)
        return {"status": result.status, "tail": result.tail, "size": size}
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _run(call: Request, argv: List[str], root: str) -> command.Result:
    environment = {**environment_of(argv[0], {}, {}).environment, **call.args.get("env", {})}
    seconds = call.args["seconds"]
    try:
        return Programs(call.send, call.cancelled, environment, {}).run(argv, cwd=root, timeout=seconds)
    except TimeoutError:
        late = message(
            "program.timeout", "it did not end within {seconds:.0f} s, and was ended", seconds=seconds
        )
        raise OperationError("timeout", late) from None
    except OSError as error:
        raise OperationError(
            "interpreter",
            message(
                "program.not-started",
                "{program} can't be started: {error}",
                program=argv[0],
                error=system_reason(error),
            ),
            message("program.not-started.remedy", "deploy again, which finds the interpreter"),
        ) from None


def _send(call: Request, path: str) -> Optional[int]:
    try:
        size = os.path.getsize(path)
    except OSError:
        return None
    if size > _LARGEST:
        large = message(
            "program.too-large",
            "it wrote {size} bytes, and the limit is {limit}",
            size=size,
            limit=_LARGEST,
        )
        raise OperationError("too-large", large)
    with open(path, "rb", opener=regular) as file:
        while True:
            piece = file.read(MAX_PAYLOAD)
            if not piece:
                return size
            call.send({"text": None, "quiet": None}, piece)
