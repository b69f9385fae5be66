"""``environment``: the Python that trains, given (``existing``) or made from the project's files (``uv``).

Arguments: ``project``, ``deploy``, ``kind``; for ``existing`` the ``interpreter`` (the agent's own without
one), for ``uv`` the ``recipe``; the user's ``variables`` and ``secrets``, and ``wheelhouse``. Items are
``{"text": output}`` and ``{"quiet": seconds}``. The result, without ``unchanged``, is kept, see
agent.environments.stamp. Nodes that share the project's folder: see agent.environments.folders.
"""

from __future__ import annotations

import os
import shutil
import sys
from functools import partial
from typing import TYPE_CHECKING, List, Optional

from agent import durable
from agent.environments import conda, uv
from agent.environments.folders import CONDA, VENV, folder_for, host, usable
from agent.environments.login import login
from agent.environments.programs import Programs
from agent.environments.stamp import FORMAT, described, others, path_in, stamp, unchanged
from agent.environments.variables import VariablesError, environment_of
from agent.environments.wheelhouse import located
from agent.interpreter import has_nvidia, inspect, warnings
from agent.paths import project_root, shown, split
from agent.server import OperationError
from agent.tree.commit import recover
from agent.tree.errors import explained
from agent.tree.lock import Lock
from agent.wire.deploy import (
    EnvironmentArgs,
    EnvironmentFacts,
    EnvironmentRequest,
    EnvironmentResult,
    OutputItem,
    Recipe,
)
from agent.wire.message import Message, message, to_data

if TYPE_CHECKING:
    from agent.server import Call

    Request = Call[EnvironmentArgs, None, OutputItem]


def environment(call: Request) -> EnvironmentResult:
    """Create or check the environment; an unchanged one is left as it is."""
    text = call.args["project"]

    def waiting(seconds: float) -> None:
        call.send({"text": None, "quiet": seconds})

    with explained(text):
        root = project_root(text)
        with Lock(root, call.args["deploy"], call.cancelled, waiting):
            recover(root)
            # Programs and users need the path without the prefix for long names.
            return _environment(call, shown(root), call.args["deploy"].partition("/")[2])


def _environment(call: Request, root: str, node: str) -> EnvironmentResult:
    split(node)  # part of file names
    kind, recipe = call.args["kind"], call.args["recipe"]
    given = call.args["interpreter"] or sys.executable
    wheelhouse = call.args["wheelhouse"]
    request: EnvironmentRequest = {
        "kind": kind,
        "interpreter": given if kind == "existing" else None,
        "recipe": recipe if kind == "uv" else None,
        "wheelhouse": wheelhouse if kind == "uv" else None,
    }
    known = unchanged(root, request, described(root, node)) or _made_by_another(root, request, node)
    if known is not None:
        return {**known, "unchanged": True}
    folder = folder_for(root, node, CONDA if recipe is not None and recipe["tool"] == "conda" else VENV)
    interpreter = _interpreter(root, folder, given, recipe if kind == "uv" else None)
    try:
        found = environment_of(interpreter, call.args["variables"], call.args["secrets"])
    except VariablesError as error:
        raise OperationError("variables", error.message) from None
    programs = Programs(call.send, call.cancelled, found.environment, call.args["secrets"])
    notes: List[Message] = list(found.warnings)
    if kind == "uv":
        if recipe is None:
            raise OperationError("recipe", message("environment.no-recipe", "the request has no recipe"))
        if recipe["tool"] == "conda":
            conda.make(root, folder, recipe["conda"], programs)
        else:
            if recipe["tool"] == "project" and wheelhouse is None:
                notes += uv.advice(root)
            _remove_of_other_python(root, folder, request, described(root, node))
            uv.make(root, folder, os.path.dirname(call.archive), recipe, located(root, wheelhouse), programs)
        # Its folder was not there before.
        found = environment_of(interpreter, call.args["variables"], call.args["secrets"])
        programs = Programs(call.send, call.cancelled, found.environment, call.args["secrets"])
    facts = inspect(interpreter, root, partial(programs.run, silent=True))
    made: EnvironmentFacts = {
        "version": FORMAT,
        "kind": kind,
        "interpreter": interpreter,
        "python": facts["python"],
        "packages": facts["packages"],
        "torch": facts["torch"],
        "warnings": [to_data(text) for text in (*notes, *warnings(facts, has_nvidia()))],
        "stamp": stamp(root, request, [interpreter, *facts["places"]]),
        "build": os.urandom(8).hex(),
        "node": node,
        "host": host(),
    }
    durable.write_json(path_in(root, node), made)
    return {**made, "unchanged": False}


def _made_by_another(root: str, request: EnvironmentRequest, node: str) -> Optional[EnvironmentFacts]:
    """Return the environment that a node of the same kind has in the shared folder, if it is up to date."""
    if request["kind"] != "uv":  # interpreters at the same path of two machines are two
        return None
    for other in others(root, node):
        if usable(other) and unchanged(root, request, other) is not None:
            made: EnvironmentFacts = {**other, "node": node}
            durable.write_json(path_in(root, node), made)
            return made
    return None


def _interpreter(root: str, folder: str, given: str, recipe: Optional[Recipe]) -> str:
    if recipe is None:
        return _locate(root, given)
    of = conda.interpreter_of if recipe["tool"] == "conda" else uv.interpreter_of
    return of(root, folder)


def _remove_of_other_python(
    root: str, folder: str, request: EnvironmentRequest, known: Optional[EnvironmentFacts]
) -> None:
    """Remove an environment that dtui made for another Python version than the project now asks for.

    `uv sync` replaces it; `uv pip` would install into it.
    """
    if known is None or known["interpreter"] != uv.interpreter_of(root, folder):
        return
    pin = ".python-version"
    if known["stamp"]["sources"].get(pin) != stamp(root, request, [])["sources"][pin]:
        shutil.rmtree(os.path.join(root, *folder.split("/")), ignore_errors=True)


def _locate(root: str, given: str) -> str:
    """Return a given interpreter's path: a bare name is found on the PATH, others start at the project."""
    if os.path.dirname(given):
        return os.path.join(root, os.path.expanduser(given))
    return shutil.which(given, path=login().variables.get("PATH")) or given
