"""The values of the configuration file that a program is handed, as YAML gives them."""

from __future__ import annotations

from pathlib import Path

import yaml

from agent.wire.message import EMPTY, Message, message
from agent.wire.reasons import reason_of
from fleet import bounded_yaml


def read_config(path: Path) -> tuple[dict[str, object], Message]:
    """Return the file's values, and why it is not valid YAML (empty: it is)."""
    try:
        values = bounded_yaml.load_file(path)
    except FileNotFoundError:
        return {}, message("preflight.config-file-missing", "{file} does not exist", file=path.name)
    except (OSError, ValueError) as error:
        fault = message(
            "preflight.config-unreadable",
            "{file} cannot be read: {error}",
            file=path.name,
            error=reason_of(error),
        )
        return {}, fault
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f"{path.name}:{mark.line + 1}" if mark else path.name
        problem = Message(getattr(error, "problem", None) or str(error))
        return {}, message("preflight.config-syntax", "{place}: {error}", place=place, error=problem)
    if not isinstance(values, dict):
        return {}, message(
            "preflight.config-not-mapping", "{file} is not a mapping of keys to values", file=path.name
        )
    return values, EMPTY
