"""One deploy at a time into a project's folder: ``.dtui/deploy.lock``."""

from __future__ import annotations

import json
import os
import socket
import threading
import time
from typing import Any, Dict, Optional

from agent import durable
from agent.processes import Identity, alive, identify
from agent.server import Cancelled
from agent.tree.staging import own_folder

#: Seconds between two looks at a folder that another node of the same deploy is using.
_LOOK_EVERY = 0.1
_PATIENCE = 15 * 60.0
_FREE, _WAIT, _BUSY = range(3)


class Busy(Exception):
    """Another deploy holds the folder; the message says whose."""


class Lock:
    """Held between entry and exit. ``deploy`` is the console's number of the deploy, a slash, the node.

    A console that lost its link may come back before its old agent has noticed: the same ``deploy``
    takes the lock over, and the old agent finds that it does not hold it any more. Nodes that share
    a folder wait for each other, until ``cancelled``. Any other deploy makes it raise Busy.
    """

    def __init__(self, root: str, deploy: str, cancelled: Optional[threading.Event] = None) -> None:
        self._path = os.path.join(own_folder(root), "deploy.lock")
        self._cancelled = cancelled or threading.Event()
        self._ticket: Dict[str, Any] = {
            "process": _identity(os.getpid()),
            "thread": threading.get_ident(),
            "host": socket.gethostname(),
            "deploy": deploy,
            "at": time.time(),
        }

    def __enter__(self) -> Lock:
        deadline = time.monotonic() + _PATIENCE
        while True:
            try:
                handle = os.open(self._path, os.O_CREAT | os.O_EXCL | os.O_WRONLY)
            except FileExistsError:
                self._make_way(deadline)
                continue
            with os.fdopen(handle, "w", encoding="ascii") as file:
                json.dump(self._ticket, file)
            return self

    def __exit__(self, *_: object) -> None:
        if self.held:
            durable.remove(self._path)

    @property
    def held(self) -> bool:
        """Whether it is still ours."""
        return bool(durable.read_json(self._path) == self._ticket)

    def _make_way(self, deadline: float) -> None:
        """Wait for the holder a little, or remove its lock; raises Busy and Cancelled."""
        holder = durable.read_json(self._path)
        verdict = _judge(holder, self._ticket, self._path)
        if verdict == _FREE:
            durable.remove(self._path)
        elif verdict == _BUSY or time.monotonic() > deadline:
            raise Busy(_describe(holder))
        elif self._cancelled.wait(_LOOK_EVERY):
            raise Cancelled


def _judge(holder: Optional[Any], ticket: Dict[str, Any], path: str) -> int:
    if not isinstance(holder, dict):
        return _WAIT if _age(path) < 5.0 else _FREE  # being written this moment, or torn by a crash
    theirs, ours = str(holder.get("deploy")), str(ticket["deploy"])
    if theirs == ours:
        return _FREE
    process = Identity.from_json(holder.get("process"))
    if holder.get("host") == ticket["host"] and not (process and alive(process)):
        return _FREE
    return _WAIT if theirs.partition("/")[0] == ours.partition("/")[0] else _BUSY


def _identity(pid: int) -> Optional[Dict[str, Any]]:
    found = identify(pid)
    return found.as_json() if found else None


def _age(path: str) -> float:
    try:
        return time.time() - os.stat(path).st_mtime
    except OSError:
        return float("inf")


def _describe(holder: Optional[Any]) -> str:
    if not isinstance(holder, dict):
        return "another deploy has just begun"
    since = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(float(holder.get("at", 0))))
    return f"another deploy has been writing into this folder since {since} ({holder.get('host')})"
