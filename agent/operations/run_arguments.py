"""The arguments that operations on runs share: ``project``, a folder, ``run``, an id, ``node``, a name."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Tuple

from agent.paths import PathRejected, ProjectRejected, project_root
from agent.server import OperationError
from agent.supervisor.folder import RunFolder, folder_of_node
from agent.supervisor.status import Status, seen
from agent.wire.message import message

if TYPE_CHECKING:
    from agent.server import AnyCall


def project_of(call: AnyCall) -> str:
    """Return the project's root; raises OperationError."""
    try:
        return project_root(str(call.args["project"]))
    except ProjectRejected as error:
        raise OperationError("path", error.message, error.remedy) from None


def folder_of(call: AnyCall) -> RunFolder:
    """Return the folder of the run, which may not exist; raises OperationError."""
    try:
        return folder_of_node(project_of(call), str(call.args["run"]), call.args.get("node"))
    except PathRejected as error:
        raise OperationError("path", error.message, message("run.path.remedy", "give a run's id")) from None


def known_run(call: AnyCall) -> Tuple[RunFolder, Status]:
    """Return a run's folder and its status; raises OperationError ``no-run`` when there is none."""
    folder = folder_of(call)
    status = seen(folder)
    if status is None:
        unknown = message(
            "run.unknown",
            "run {run} is not known in {folder}",
            run=folder.run,
            folder=os.path.dirname(folder.path),
        )
        raise OperationError("no-run", unknown)
    return folder, status
