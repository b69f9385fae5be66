"""The user's Accelerate configuration, ``accelerate:`` of the inventory's run."""

from __future__ import annotations

import yaml

from agent.wire.message import message
from agent.wire.reasons import system_reason
from fleet import bounded_yaml
from fleet.inventory import Fault, Inventory
from fleet.inventory.yaml_problems import yaml_problem
from fleet.plan.model import PlanError


def accelerate_settings_of(inventory: Inventory) -> dict[str, object]:
    """Return the values of the user's Accelerate configuration, none without one; raises PlanError."""
    name = inventory.run.accelerate
    if name is None:
        return {}
    remedy = message(
        "up.accelerate.remedy", "write the file with `accelerate config --config_file {file}`", file=name
    )
    try:
        found = bounded_yaml.load_file(inventory.project / name)
    except OSError as error:
        what = message(
            "up.accelerate-unreadable",
            "{file} can't be read: {error}",
            file=name,
            error=system_reason(error),
        )
        raise PlanError([Fault(what, remedy)]) from None
    except (yaml.YAMLError, ValueError) as error:
        raise PlanError([Fault(*yaml_problem(error), file=name)]) from None
    if not isinstance(found, dict):
        what = message("up.accelerate-format", "{file} is not an Accelerate configuration", file=name)
        raise PlanError([Fault(what, remedy)])
    environment = found.get("compute_environment", "LOCAL_MACHINE")
    if environment != "LOCAL_MACHINE":
        what = message(
            "up.accelerate-environment",
            "{file}: compute_environment is {found!r}, and only LOCAL_MACHINE is supported",
            file=name,
            found=str(environment)[:80],
        )
        raise PlanError([Fault(what, remedy)])
    return {str(key): value for key, value in found.items()}
