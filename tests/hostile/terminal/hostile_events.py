"""Events in which every free text is hostile."""

from __future__ import annotations

import json
from typing import Any

from fleet.event_json import from_json
from fleet.events import Event
from tests.console.record import FOLDER
from tests.hostile.terminal.hostile_text import ATTACKS

#: All attacks in one text; the endless ones are tested by themselves.
ALL = " ".join(attack for name, attack in ATTACKS.items() if name not in ("long", "marks", "surrogate"))
#: Fields whose values are of a closed set, or name something that other events name as well.
_FIXED = {
    "event", "node", "state", "status", "level", "run", "outcome", "action", "check", "master_address",
    "transport", "data", "kind", "source", "gpu_source", "compute_mode", "driver_model", "stage", "method",
}  # fmt: skip


def hostile(name: str, attack: str = ALL) -> list[Event]:
    """Return a recording of tests/console with ``attack`` behind each free text, and in each rank's log."""
    lines = (FOLDER / f"{name}.jsonl").read_text("utf-8").splitlines()
    return [from_json(json.dumps(_with(json.loads(line), attack))) for line in lines]


def _with(value: Any, attack: str, key: str = "") -> Any:
    if isinstance(value, dict):
        # Of ports only the names are free.
        return {name: item if key == "ports" else _with(item, attack, name) for name, item in value.items()}
    if isinstance(value, list):
        return [_with(item, attack, key) for item in value]
    return value + attack if isinstance(value, str) and key not in _FIXED else value
