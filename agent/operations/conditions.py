"""``conditions``: what would prevent a deploy or a run here, in addition to the machine's facts.

Arguments: ``project``, ``node``, ``data``. The result is ``{"writable", "deployed", "environment", "orphans",
"under_way", "defender", "firewall", "data"}``: bytes of the last deploy (0: none), the environment's
description or None, processes and runs as ``sweep`` and ``status`` list them, see
:mod:`agent.checks.protection`, and the place of the data.
"""

from __future__ import annotations

import os
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Optional

from agent.checks.protection import defender, firewall
from agent.environments.stamp import described
from agent.facts import machine
from agent.operations.run_arguments import project_of
from agent.operations.sweep import orphans
from agent.paths import shown
from agent.supervisor.folder import run_folders
from agent.supervisor.status import FINAL, seen
from agent.tree.record import load
from agent.wire.preflight import Conditions, ConditionsArgs, DataPlace

if TYPE_CHECKING:
    from agent.server import Call

    Request = Call[ConditionsArgs, None, None]

#: Counting the files of a large data folder must not hold up the check.
_SIZE_SECONDS = 5.0


def conditions(call: Request) -> Conditions:
    """Check without changing anything."""
    root = project_of(call)
    place = root
    while not os.path.isdir(place) and os.path.dirname(place) != place:
        place = os.path.dirname(place)
    node, folder = call.args.get("node"), call.args.get("data")
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
        "data": None if folder is None else _data_place(folder, place),
    }


def _data_place(folder: str, project: str) -> DataPlace:
    """``project`` is the project's folder or the nearest one above that exists."""
    found = os.path.abspath(os.path.expanduser(folder))
    disk = machine.disk(found)
    try:
        apart = os.stat(disk["path"]).st_dev != os.stat(project).st_dev
    except OSError:
        apart = False
    return {"path": found, "apart": apart, "present": _size(found), "free": disk["free"]}


def _size(folder: str) -> Optional[int]:
    """Return the bytes of all files below a folder, None after a time limit."""
    deadline, total = time.monotonic() + _SIZE_SECONDS, 0
    for above, _, names in os.walk(folder):
        for name in names:
            with suppress(OSError):
                total += os.stat(os.path.join(above, name)).st_size
        if time.monotonic() > deadline:
            return None
    return total


def _deployed(root: str) -> int:
    return sum(entry.size for entry in load(root).values())
