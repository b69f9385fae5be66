"""``conditions``: what would prevent a deploy or a run here, in addition to the machine's facts.

Arguments: ``project``. The result is ``{"writable", "deployed", "environment", "orphans", "under_way",
"defender", "firewall"}``: bytes of the last deploy (0: none), the environment's description or None,
processes and runs as ``sweep`` and ``status`` list them, and see :mod:`agent.checks.protection`.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from agent.checks.protection import defender, firewall
from agent.environments.stamp import described
from agent.operations.run_arguments import project_of
from agent.operations.sweep import orphans
from agent.paths import shown
from agent.supervisor.folder import run_folders
from agent.supervisor.status import FINAL, seen
from agent.tree.record import load
from agent.wire.preflight import Conditions
from agent.wire.runs import NodeArgs

if TYPE_CHECKING:
    from agent.server import Call

    Request = Call[NodeArgs, None, None]


def conditions(call: Request) -> Conditions:
    """Check without changing anything."""
    root = project_of(call)
    place = root
    while not os.path.isdir(place) and os.path.dirname(place) != place:
        place = os.path.dirname(place)
    node = call.args.get("node")
    statuses = [seen(folder) for folder in run_folders(root, node)]
    return {
        "project": shown(root),
        "writable": os.access(place, os.W_OK | os.X_OK),
        "deployed": _deployed(root),
        "environment": described(root, node),
        "orphans": orphans(root, node),
        "under_way": [
            one["run"] for one in statuses if one and one["state"] not in FINAL and one["state"] != "lost"
        ],
        "defender": defender(),
        "firewall": firewall(),
    }


def _deployed(root: str) -> int:
    return sum(entry.size for entry in load(root).values())
