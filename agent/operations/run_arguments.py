"""The arguments that operations on runs share: ``project``, a folder, and ``run``, an id."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Tuple

from agent.paths import PathRejected, project_root
from agent.server import OperationError
from agent.supervisor.folder import RunFolder
from agent.supervisor.status import Status, seen

if TYPE_CHECKING:
    from agent.server import Call


def project_of(call: Call) -> str:
    """Return the project's root; raises OperationError."""
    try:
        return project_root(str(call.args["project"]))
    except PathRejected as error:
        raise OperationError("path", str(error), "correct the node's `project`") from None


def folder_of(call: Call) -> RunFolder:
    """Return the folder of the run, which may not exist; raises OperationError."""
    try:
        return RunFolder(project_of(call), str(call.args["run"]))
    except PathRejected as error:
        raise OperationError("path", str(error), "give a run's id") from None


def known_run(call: Call) -> Tuple[RunFolder, Status]:
    """Return a run's folder and its status; raises OperationError ``no-run`` when there is none."""
    folder = folder_of(call)
    status = seen(folder)
    if status is None:
        raise OperationError(
            "no-run", "run %s is not known in %s" % (folder.run, os.path.dirname(folder.path)), ""
        )
    return folder, status
