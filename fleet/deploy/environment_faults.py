"""What must be right in the files that describe the environment, before anything is sent to a node."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from agent.wire.message import message
from fleet.deploy.options import DeployOptions
from fleet.deploy.recipe import recipe_of
from fleet.errors import FleetError
from fleet.inventory import Fault, Inventory, Node
from fleet.plan import PlanError

#: A path that begins on the node's own disk: absolute, below the home folder, or on a drive.
_ON_NODE = re.compile(r"[/~\\]|[A-Za-z]:")


def check_environment(inventory: Inventory, nodes: Sequence[Node], options: DeployOptions) -> None:
    """Raise PlanError when the nodes could not build their environment from the project's files. Blocks."""
    if faults := list(_faults(inventory, nodes, options)):
        raise PlanError(faults)


def _faults(inventory: Inventory, nodes: Sequence[Node], options: DeployOptions) -> Iterator[Fault]:
    if all((options.environment or node.environment) != "uv" for node in nodes):
        return
    try:
        recipe_of(options.root or inventory.project, options.extras)
    except FleetError as error:
        yield Fault(error.what, error.remedy)
    wheelhouse = inventory.run.wheelhouse
    if wheelhouse is not None and not _ON_NODE.match(wheelhouse):
        folder = inventory.project / wheelhouse
        if not folder.is_dir() or not any(folder.glob("*.whl")):
            yield Fault(
                message("up.no-wheels", "the wheelhouse {folder} has no wheels", folder=str(folder)),
                message(
                    "up.no-wheels.remedy",
                    "put the wheels of all dependencies there, or name a folder on the nodes by its "
                    "absolute path",
                ),
            )
