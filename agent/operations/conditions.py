"""``conditions``: what stands in the way of a deploy or a run here, beside the machine's facts.

Arguments: ``project``. The result is ``{"writable", "deployed", "environment", "orphans", "under_way",
"defender", "firewall"}``: bytes of the last deploy (0: none), the environment's description or None,
processes and runs as ``sweep`` and ``status`` list them, and see :mod:`agent.checks.protection`.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Dict

from agent import durable
from agent.checks.protection import defender, firewall
from agent.environments.stamp import path_in
from agent.operations.run_arguments import project_of
from agent.operations.status import status
from agent.operations.sweep import sweep
from agent.paths import shown
from agent.supervisor.status import FINAL
from agent.tree.record import load

if TYPE_CHECKING:
    from agent.server import Call


def conditions(call: Call) -> Dict[str, Any]:
    """Look; nothing is changed."""
    root = project_of(call)
    place = root
    while not os.path.isdir(place) and os.path.dirname(place) != place:
        place = os.path.dirname(place)
    runs = status(call)["runs"]
    return {
        "project": shown(root),
        "writable": os.access(place, os.W_OK | os.X_OK),
        "deployed": _deployed(root),
        "environment": durable.read_json(path_in(root)),
        "orphans": sweep(call)["orphans"],
        "under_way": [run["run"] for run in runs if run["state"] not in FINAL and run["state"] != "lost"],
        "defender": defender(),
        "firewall": firewall(),
    }


def _deployed(root: str) -> int:
    return sum(entry.size for entry in load(root).values())
