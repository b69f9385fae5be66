"""``environment``: the Python that trains, given (``existing``) or made by ``uv``.

Arguments: ``project``, ``deploy``, ``kind``; for ``existing`` the ``interpreter`` (the agent's own
without one), for ``uv`` a list of ``extras``. Items are ``{"text": output}`` and ``{"quiet": seconds}``.
The result, without ``unchanged``, is kept in ``.dtui/environment.json``.
"""

from __future__ import annotations

import os
import shutil
import sys
from functools import partial
from typing import TYPE_CHECKING, Any, Callable, Dict

from agent import command, durable
from agent.environments import uv
from agent.environments.stamp import path_in, stamp, unchanged
from agent.interpreter import has_nvidia, inspect, warnings
from agent.paths import project_root, shown
from agent.server import OperationError
from agent.tree.commit import recover
from agent.tree.errors import explained
from agent.tree.lock import Lock

if TYPE_CHECKING:
    from agent.server import Call


def environment(call: Call) -> Dict[str, Any]:
    """Make or check the environment; one that nothing has changed since is left as it is."""
    text, kind = str(call.args["project"]), str(call.args["kind"])
    with explained(text):
        root = project_root(text)
        with Lock(root, str(call.args["deploy"]), call.cancelled):
            recover(root)
            # Programs and people want the path without the prefix for long names.
            return _environment(call, kind, shown(root))


def _environment(call: Call, kind: str, root: str) -> Dict[str, Any]:
    given = str(call.args.get("interpreter") or sys.executable)
    extras = [str(name) for name in call.args.get("extras") or []]
    request = {"kind": kind, "interpreter": given} if kind == "existing" else {"kind": kind, "extras": extras}
    known = unchanged(root, request)
    if known is not None:
        return {**known, "unchanged": True}

    def say(said: str) -> None:
        call.send({"text": said})

    notes = []
    if kind == "existing":
        interpreter = _locate(root, given)
    elif kind == "uv":
        cache = os.path.dirname(call.archive)
        notes = uv.advice(root)
        interpreter = uv.make(root, cache, extras, _runner(call, say), say)
    else:
        raise OperationError("kind", f"there is no environment of kind {kind!r}", "use uv or existing")
    facts = inspect(interpreter, root, _runner(call, lambda said: None))
    made = {
        "kind": kind,
        "interpreter": interpreter,
        "python": facts["python"],
        "packages": facts["packages"],
        "torch": facts["torch"],
        "warnings": [*notes, *warnings(facts, has_nvidia())],
        "stamp": stamp(root, request, [interpreter, *facts["places"]]),
    }
    durable.write_json(path_in(root), made)
    return {**made, "unchanged": False}


def _locate(root: str, given: str) -> str:
    """Return a given interpreter's path: a bare name is found on the PATH, others start at the project."""
    if os.path.dirname(given):
        return os.path.join(root, os.path.expanduser(given))
    return shutil.which(given) or given


def _runner(call: Call, output: Callable[[str], None]) -> Callable[..., command.Result]:
    return partial(
        command.run,
        env=command.environment({"UV_LINK_MODE": "copy", "UV_PYTHON_PREFERENCE": "system"}),
        cancelled=call.cancelled,
        output=output,
        quiet=lambda seconds: call.send({"quiet": seconds}),
    )
