"""The mixed precision that a project's configuration sets."""

from __future__ import annotations

import yaml

from fleet import bounded_yaml
from fleet.inventory import Inventory


def mixed_precision_of(inventory: Inventory) -> str:
    """Return ``training.mixed_precision`` of the bundled trainer's configuration, ``no`` without one.

    The trainer reads the same file, and reports what is wrong with it. Other programs have their own rules.
    """
    path = inventory.run.program_config
    if path is None or not inventory.run.is_trainer:
        return "no"
    try:
        config = bounded_yaml.load_file(inventory.project / path)
        training = config.get("training") if isinstance(config, dict) else None
        found = training.get("mixed_precision") if isinstance(training, dict) else None
    except (OSError, ValueError, yaml.YAMLError):
        return "no"
    # YAML reads an unquoted `no` as false.
    return "no" if found is None or found is False else str(found)
