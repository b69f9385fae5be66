"""``fix``: run one command of a repair that the user has read and agreed to.

Arguments: ``repair`` and ``values`` of agent.repairs, and ``step``, which of its commands. Others are not
run. The result is ``{"status", "output"}``.
"""

from __future__ import annotations

import locale
import os
import subprocess
from typing import TYPE_CHECKING

from agent.powershell import startable
from agent.quoting import Unsafe
from agent.repairs import commands
from agent.server import OperationError
from agent.wire.message import message
from agent.wire.preflight import FixArgs, FixResult
from agent.wire.reasons import system_reason

if TYPE_CHECKING:
    from agent.server import Call

    Request = Call[FixArgs, None, None]

_SECONDS = 60.0
_KEPT = 4000


def fix(call: Request) -> FixResult:
    """Run it without a shell and without input."""
    step = call.args["step"]
    try:
        argv = list(commands(call.args["repair"], call.args["values"])[step])
    except Unsafe as error:
        refused = message("fix.refused", "the repair was refused: {error}", error=error.message)
        raise OperationError("refused", refused) from None
    except IndexError:
        missing = message("fix.no-step", "the repair has no step {step}", step=step)
        raise OperationError("refused", missing) from None
    try:
        words, environment = startable(argv, os.environ)
        done = subprocess.run(
            words,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=_SECONDS,
            creationflags=0x08000000 if os.name == "nt" else 0,
        )
    except subprocess.TimeoutExpired:
        late = message(
            "fix.timeout",
            "{program} did not end within {seconds:.0f} s",
            program=argv[0],
            seconds=_SECONDS,
        )
        raise OperationError("timeout", late) from None
    except OSError as error:
        failed = message(
            "fix.not-started",
            "{program} can't be started: {error}",
            program=argv[0],
            error=system_reason(error),
        )
        raise OperationError("not-started", failed) from None
    return {"status": done.returncode, "output": decoded(done.stdout[-_KEPT:])}


def decoded(output: bytes) -> str:
    """Return a program's words: UTF-8, else the system's code page."""
    try:
        return output.decode("utf-8").strip()
    except UnicodeDecodeError:
        return output.decode(locale.getpreferredencoding(False), "replace").strip()
