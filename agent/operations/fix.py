"""``fix``: run one command that a person has read and agreed to.

Arguments: ``argv``. The result is ``{"status", "output"}``.
"""

from __future__ import annotations

import locale
import os
import subprocess
from typing import TYPE_CHECKING, Any, Dict

from agent.server import OperationError

if TYPE_CHECKING:
    from agent.server import Call

_SECONDS = 60.0
_KEPT = 4000


def fix(call: Call) -> Dict[str, Any]:
    """Run it without a shell and without input."""
    argv = [str(word) for word in call.args["argv"]]
    try:
        done = subprocess.run(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=_SECONDS,
            creationflags=0x08000000 if os.name == "nt" else 0,
        )
    except subprocess.TimeoutExpired:
        raise OperationError("timeout", "%s did not end within %.0f s" % (argv[0], _SECONDS), "") from None
    except OSError as error:
        raise OperationError(
            "not-started", "%s can't be started: %s" % (argv[0], error.strerror or error), ""
        ) from None
    return {"status": done.returncode, "output": decoded(done.stdout[-_KEPT:])}


def decoded(output: bytes) -> str:
    """Return a program's words: UTF-8, else the system's code page."""
    try:
        return output.decode("utf-8").strip()
    except UnicodeDecodeError:
        return output.decode(locale.getpreferredencoding(False), "replace").strip()
