"""A node's folder of a run, ``<project>/.dtui/runs/<run id>``: what is in it and who writes it.

Nodes that share the project's folder each have their own: the first to start takes that one, and the others
use ``node-<name>`` in it.

======================= ========== ==========================================================
file                    writer     content
======================= ========== ==========================================================
``owner``               start      the name of the node whose folder it is
``spec.json``           start      what to run, see :mod:`agent.supervisor.spec`
``status.json``         supervisor where the run is, see :mod:`agent.supervisor.status`
``supervisor.json``     supervisor its pid and start time; created once, so that only one can be
``supervisor.log``      supervisor what it did and when, and its last words
``rank-<n>.log``        the rank   stdout and stderr of the process, as it wrote them
``rank-<n>.error.json`` the rank   its exception, if the program uses torch's @record
``stop.json``           stop       ``{"at", "grace"}``: please end the run
``stop``                supervisor the ranks' DTUI_STOP_FILE: please checkpoint and exit 0
``reserve``             supervisor space for the last status when the disk is full (agent.supervisor.reserve)
``processes.json``      supervisor processes that ranks have started (agent.supervisor.descendants)
======================= ========== ==========================================================
"""

from __future__ import annotations

import json
import os
import re
import time
from contextlib import suppress
from typing import Any, Dict, List, Optional

from agent import durable, paths, private
from agent.environments.stamp import path_in
from agent.wire.decode import WireError, decode
from agent.wire.frames import parse_json
from agent.wire.message import message, to_data
from agent.wire.runs import RunStatus

#: What a folder in another node's folder begins with, before the node's name.
_OF_NODE = "node-"
_LONGEST_NAME = 1000
#: Seconds for a file to be written whose creator was interrupted.
_OWNER_LIMIT = 2.0
#: Of ``status.json``; a reader ignores unknown keys.
FORMAT = 1
#: On Windows, a file that is being replaced can't be opened, or briefly does not exist.
_READ_ATTEMPTS = 100
_READ_PAUSE = 0.01


class RunFolder:
    """Names and files of one run below the project's ``root`` (see agent.paths.project_root)."""

    def __init__(self, root: str, run: str, shared_by: Optional[str] = None) -> None:
        """``shared_by``: the node of a folder in another node's folder. Raises PathRejected."""
        if len(paths.split(run)) != 1:
            raise paths.PathRejected(run, message("path.not-a-run", "{run!r} is not a run's id", run=run))
        self.root = root
        self.run = run
        self.path = os.path.join(root, private.OWN, "runs", run)
        if shared_by is not None:
            name = _OF_NODE + shared_by
            if len(paths.split(name)) != 1:
                raise paths.PathRejected(
                    shared_by, message("path.not-a-node", "{node!r} is not a node's name", node=shared_by)
                )
            self.path = os.path.join(self.path, name)
        self.owner = self._file("owner")
        self.spec = self._file("spec.json")
        self.status = self._file("status.json")
        self.claim = self._file("supervisor.json")
        self.supervisor_log = self._file("supervisor.log")
        self.stop_request = self._file("stop.json")
        self.stop_file = self._file("stop")
        self.reserve = self._file("reserve")
        self.processes = self._file("processes.json")

    @classmethod
    def at(cls, path: str) -> RunFolder:
        """Return the run whose folder is ``path``."""
        above, name = os.path.split(os.path.abspath(path))
        shared_by = None
        if name.startswith(_OF_NODE) and os.path.basename(above) != "runs":
            shared_by = name[len(_OF_NODE) :]
            above, name = os.path.split(above)
        return cls(os.path.dirname(os.path.dirname(above)), name, shared_by)

    @property
    def mark(self) -> str:
        """What every process of the run has in its environment."""
        return "DTUI_RUN_ID=" + self.run

    @property
    def own_mark(self) -> str:
        """What every process of this node's part of the run has, and those of no other project."""
        return "DTUI_STOP_FILE=" + paths.shown(self.stop_file)

    def create(self) -> None:
        """Make the folder, which only its owner may use; it may exist. Raises OSError."""
        private.make_folders(self.path)

    def log(self, rank: int) -> str:
        """Return the path of a rank's output."""
        return self._file("rank-%d.log" % rank)

    def error_file(self, rank: int) -> str:
        """Return the path for the exception that ended a rank, which torch's @record decorator writes."""
        return self._file("rank-%d.error.json" % rank)

    def _file(self, name: str) -> str:
        return os.path.join(self.path, name)


def take_folder(root: str, run: str, node: str) -> RunFolder:
    """Return the folder that the node's part of the run is to use, and create it; raises OSError."""
    folder = RunFolder(root, run)
    folder.create()
    if not os.path.exists(folder.spec) or os.path.exists(folder.owner):  # else of an older version
        with (
            suppress(FileExistsError),
            open(folder.owner, "x", encoding="utf-8", opener=private.opener) as file,
        ):
            file.write(node)
    if owner_of(folder) not in (node, None):
        folder = RunFolder(root, run, node)
        folder.create()
    return folder


def folder_of_node(root: str, run: str, node: Optional[str]) -> RunFolder:
    """Return the node's folder of a run, which may not exist; raises PathRejected.

    Without a node, it is the one that is not shared.
    """
    folder = RunFolder(root, run)
    if node is None:
        return folder
    own = RunFolder(root, run, node)
    return own if os.path.isdir(own.path) or owner_of(folder) not in (node, None) else folder


def owner_of(folder: RunFolder) -> Optional[str]:
    """Return the node that the folder belongs to, None if there is none."""
    end = time.monotonic() + _OWNER_LIMIT
    while True:
        try:
            with open(folder.owner, encoding="utf-8", opener=private.opener) as file:
                name = file.read(_LONGEST_NAME)
        except (OSError, UnicodeDecodeError):
            break
        if name or time.monotonic() > end:
            return name or None
        time.sleep(_READ_PAUSE)  # it is being written
    # Older versions wrote no owner.
    for path in (folder.status, folder.spec):
        found = durable.read_json(path)
        node = found.get("node") if isinstance(found, dict) else None
        if isinstance(node, str):
            return node
    return None


def shared_folders(folder: RunFolder) -> List[RunFolder]:
    """Return the folders that other nodes have in a node's folder of a run."""
    try:
        names = sorted(os.listdir(folder.path))
    except OSError:
        return []
    found = []
    for name in names:
        if name.startswith(_OF_NODE):
            with suppress(paths.PathRejected):
                found.append(RunFolder(folder.root, folder.run, name[len(_OF_NODE) :]))
    return found


def displaced_folder(folder: RunFolder) -> str:
    """Return a new path for what a program has put in the place of its run's folder."""
    return os.path.join(folder.root, private.OWN, "displaced-%s-%d" % (folder.run, time.time_ns()))


def displaced_folders(folder: RunFolder) -> List[str]:
    """Return the paths of the run that :func:`displaced_folder` gave."""
    own = re.compile(r"displaced-%s-\d+" % re.escape(folder.run))
    place = os.path.join(folder.root, private.OWN)
    try:
        return sorted(os.path.join(place, name) for name in os.listdir(place) if own.fullmatch(name))
    except OSError:
        return []


def run_folders(root: str, node: Optional[str] = None) -> List[RunFolder]:
    """Return the runs of this node by id (which sorts them by time).

    Without a node's name they are those of all nodes that share the project's folder.
    """
    try:
        names = sorted(os.listdir(os.path.join(root, private.OWN, "runs")))
    except OSError:
        return []
    found = []
    for name in names:
        with suppress(paths.PathRejected):
            folder = RunFolder(root, name)
            candidates = (
                [folder, *shared_folders(folder)] if node is None else [folder_of_node(root, name, node)]
            )
            found += [one for one in candidates if os.path.exists(one.status)]
    return found


def environment_interpreter(root: str, node: Optional[str]) -> Optional[str]:
    """Return the training interpreter that the environment step of the node's last deploy recorded."""
    environment = durable.read_json(path_in(root, node))
    value = environment.get("interpreter") if isinstance(environment, dict) else None
    return value if isinstance(value, str) and value else None


def write(path: str, value: object) -> None:
    """Replace a file by ``value`` as JSON in one step.

    Unlike agent.durable's it does not wait for the disk: a status that a power cut takes along is one of
    processes that the power cut has taken along.
    """
    new = "%s.%d" % (path, os.getpid())
    with open(new, "w", encoding="ascii", opener=private.opener) as file:
        json.dump(value, file, separators=(",", ":"))
    durable.replace(new, path)


def read(path: str) -> Optional[Dict[str, Any]]:
    """Return a file's JSON object, None when there is none."""
    for _ in range(_READ_ATTEMPTS):
        try:
            value = parse_json(durable.read_file(path))
            return value if isinstance(value, dict) else None
        except PermissionError:
            time.sleep(_READ_PAUSE)
        except (OSError, ValueError):
            return None
    return None


def write_status(folder: RunFolder, status: RunStatus) -> None:
    """Replace the run's ``status.json``."""
    write(folder.status, {"version": FORMAT, **status})


def read_status(folder: RunFolder) -> Optional[RunStatus]:
    """Return the run's status, None for an unknown run. Briefly waits for a file that must exist."""
    for _ in range(_READ_ATTEMPTS):
        value = read(folder.status)
        if value is not None:
            if isinstance(value.get("error"), str):  # of a supervisor that an earlier version started
                value["error"] = to_data(value["error"])
            with suppress(WireError):
                return decode(RunStatus, value, tolerant=True)
        if not os.path.exists(folder.spec):
            return None
        time.sleep(_READ_PAUSE)
    return None
