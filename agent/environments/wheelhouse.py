"""The folder of wheels from which an environment is installed without a network."""

from __future__ import annotations

import os
from typing import Optional

from agent.server import OperationError
from agent.wire.message import message


def located(root: str, wheelhouse: Optional[str]) -> Optional[str]:
    """Return the folder's path: absolute or below ``~`` on the node, else in the project.

    Raises OperationError when there is no such folder.
    """
    if wheelhouse is None:
        return None
    place = os.path.join(root, os.path.expanduser(wheelhouse))
    if not os.path.isdir(place):
        raise OperationError(
            "wheelhouse",
            message(
                "environment.no-wheelhouse",
                "there is no wheelhouse folder {folder} on the node",
                folder=place,
            ),
            message(
                "environment.no-wheelhouse.remedy",
                "copy the wheels to {folder} on the node, or correct `wheelhouse` under `run`",
                folder=place,
            ),
        )
    return place
