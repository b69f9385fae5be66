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
from agent.tree_staging import own_folder


class Busy(Exception):
    """Another deploy holds the folder; the message says whose."""


class Lock:
    """Held between entry and exit. ``deploy`` is the console's number for the whole deploy.

    A console that lost its link may come back before its old agent has noticed: the same ``deploy``
    takes the lock over, and the old agent finds that it does not hold it any more.
    """

    def __init__(self, root: str, deploy: str) -> None:
        self._path = os.path.join(own_folder(root), "deploy.lock")
        self._ticket: Dict[str, Any] = {
            "process": _identity(os.getpid()),
            "thread": threading.get_ident(),
            "host": socket.gethostname(),
            "deploy": deploy,
            "at": time.time(),
        }

    def __enter__(self) -> Lock:
        for _ in range(3):
            try:
                handle = os.open(self._path, os.O_CREAT | os.O_EXCL | os.O_WRONLY)
            except FileExistsError:
                holder = durable.read_json(self._path)
                if _blocks(holder, self._ticket, self._path):
                    raise Busy(_describe(holder)) from None
                durable.remove(self._path)
                continue
            with os.fdopen(handle, "w", encoding="ascii") as file:
                json.dump(self._ticket, file)
            return self
        raise Busy("another deploy has just begun")

    def __exit__(self, *_: object) -> None:
        if self.held:
            durable.remove(self._path)

    @property
    def held(self) -> bool:
        """Whether it is still ours."""
        return bool(durable.read_json(self._path) == self._ticket)


def _blocks(holder: Optional[Any], ticket: Dict[str, Any], path: str) -> bool:
    if not isinstance(holder, dict):
        return _age(path) < 5.0  # being written this moment, or left torn by a crash
    if holder.get("deploy") == ticket["deploy"]:
        return False
    if holder.get("host") != ticket["host"]:
        return True  # a folder that several nodes share
    process = Identity.from_json(holder.get("process"))
    return process is not None and alive(process)


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
