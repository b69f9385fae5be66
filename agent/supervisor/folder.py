"""A run's folder on the node, ``<project>/.dtui/runs/<run id>``: what is in it and who writes it.

=================== ========== ==============================================================
file                writer     content
=================== ========== ==============================================================
``spec.json``       start      what to run, see :mod:`agent.supervisor.spec`
``status.json``     supervisor where the run is, see :mod:`agent.supervisor.status`
``supervisor.json`` supervisor its pid and start time; created once, so that only one can be
``supervisor.log``  supervisor what it did and when, and its last words
``rank-<n>.log``    the rank   stdout and stderr of the process, as it wrote them
``stop.json``       stop       ``{"at", "grace"}``: please end the run
``stop``            supervisor the ranks' DTUI_STOP_FILE: please checkpoint and exit 0
=================== ========== ==============================================================
"""

from __future__ import annotations

import json
import os
import time
from contextlib import suppress
from typing import Any, Dict, List, Optional

from agent import durable, paths

_OWN = ".dtui"
#: A file that is being replaced can't be opened, or is not there at all for a moment, on Windows.
_READ_ATTEMPTS = 100
_READ_PAUSE = 0.01


class RunFolder:
    """Names and files of one run below the project's ``root`` (see agent.paths.project_root)."""

    def __init__(self, root: str, run: str) -> None:
        if len(paths.split(run)) != 1:
            raise paths.PathRejected(run, "is not a run's id")
        self.root = root
        self.run = run
        self.path = os.path.join(root, _OWN, "runs", run)
        self.spec = self._file("spec.json")
        self.status = self._file("status.json")
        self.claim = self._file("supervisor.json")
        self.supervisor_log = self._file("supervisor.log")
        self.stop_request = self._file("stop.json")
        self.stop_file = self._file("stop")

    @classmethod
    def at(cls, path: str) -> RunFolder:
        """Return the run whose folder is ``path``."""
        runs, run = os.path.split(os.path.abspath(path))
        return cls(os.path.dirname(os.path.dirname(runs)), run)

    @property
    def mark(self) -> str:
        """What every process of the run has in its environment."""
        return "DTUI_RUN_ID=" + self.run

    def log(self, rank: int) -> str:
        """Return the path of a rank's output."""
        return self._file("rank-%d.log" % rank)

    def _file(self, name: str) -> str:
        return os.path.join(self.path, name)


def run_folders(root: str) -> List[RunFolder]:
    """Return the runs that this node knows of, by id (which sorts them by time)."""
    try:
        names = sorted(os.listdir(os.path.join(root, _OWN, "runs")))
    except OSError:
        return []
    found = []
    for name in names:
        with suppress(paths.PathRejected):
            folder = RunFolder(root, name)
            if os.path.exists(folder.status):
                found.append(folder)
    return found


def environment_interpreter(root: str) -> Optional[str]:
    """Return the training interpreter that the environment step of the last deploy recorded."""
    environment = durable.read_json(os.path.join(root, _OWN, "environment.json"))
    value = environment.get("interpreter") if isinstance(environment, dict) else None
    return value if isinstance(value, str) and value else None


def write(path: str, value: Any) -> None:
    """Replace a file by ``value`` as JSON in one step.

    Unlike agent.durable's it does not wait for the disk: a status that a power cut takes along is one of
    processes that the power cut has taken along.
    """
    beside = "%s.%d" % (path, os.getpid())
    with open(beside, "w", encoding="ascii") as file:
        json.dump(value, file, separators=(",", ":"))
    durable.replace(beside, path)


def read(path: str) -> Optional[Dict[str, Any]]:
    """Return a file's JSON object, None when there is none."""
    for _ in range(_READ_ATTEMPTS):
        try:
            with open(path, "rb") as file:
                value = json.loads(file.read())
            return value if isinstance(value, dict) else None
        except PermissionError:
            time.sleep(_READ_PAUSE)
        except (OSError, ValueError):
            return None
    return None


def read_status(folder: RunFolder) -> Optional[Dict[str, Any]]:
    """Return the run's status, waiting a moment for one that has to be there; None for an unknown run."""
    for _ in range(_READ_ATTEMPTS):
        status = read(folder.status)
        if status is not None or not os.path.exists(folder.spec):
            return status
        time.sleep(_READ_PAUSE)
    return None
