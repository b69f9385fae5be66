"""One deploy at a time into a project's folder: ``.dtui/deploy.lock``."""

from __future__ import annotations

import json
import os
import socket
import threading
import time
from typing import Any, Callable, Dict, Optional

from agent import durable
from agent.file_status import age
from agent.private import FILE_MODE
from agent.processes import Identity, alive, identify
from agent.server import Cancelled
from agent.tree.staging import own_folder
from agent.wire.deploy import LOCK_REPORT_SECONDS, LOCK_SECONDS
from agent.wire.message import Message, message
from agent.wire.runs import ProcessId

#: Seconds between two checks of a folder that another node of the same deploy is using.
_POLL_INTERVAL = 0.1
_FREE, _WAIT, _BUSY = range(3)


class Busy(Exception):
    """Another deploy holds the folder; ``message`` names it."""

    def __init__(self, message: Message) -> None:
        super().__init__(message)
        self.message = message


class Lock:
    """Held between entry and exit. ``deploy`` is the console's number of the deploy, a slash, the node.

    A console that lost its link may come back before its old agent has noticed: the same ``deploy``
    takes the lock over, and the old agent finds that it does not hold it any more. Nodes that share
    a folder wait for each other, until ``cancelled``,
    and call ``waiting`` with the seconds so far. Any other deploy makes it raise Busy.
    """

    def __init__(
        self,
        root: str,
        deploy: str,
        cancelled: Optional[threading.Event] = None,
        waiting: Callable[[float], None] = lambda seconds: None,
    ) -> None:
        self._waiting = waiting
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
        begun = reported = time.monotonic()
        while True:
            if time.monotonic() - reported >= LOCK_REPORT_SECONDS:
                reported = time.monotonic()
                self._waiting(reported - begun)
            try:
                handle = os.open(self._path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, FILE_MODE)
            except FileExistsError:
                self._await_holder(begun + LOCK_SECONDS)
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

    def _await_holder(self, deadline: float) -> None:
        """Wait briefly for the holder, or remove its lock; raises Busy and Cancelled."""
        holder = durable.read_json(self._path)
        verdict = _judge(holder, self._ticket, self._path)
        if verdict == _FREE:
            durable.remove(self._path)
        elif verdict == _BUSY or time.monotonic() > deadline:
            raise Busy(_describe(holder))
        elif self._cancelled.wait(_POLL_INTERVAL):
            raise Cancelled


def _judge(holder: Optional[Any], ticket: Dict[str, Any], path: str) -> int:
    if not isinstance(holder, dict):
        return _WAIT if age(path) < 5.0 else _FREE  # being written this moment, or torn by a crash
    theirs, ours = str(holder.get("deploy")), str(ticket["deploy"])
    if theirs == ours:
        return _FREE
    process = Identity.from_json(holder.get("process"))
    if holder.get("host") == ticket["host"] and not (process and alive(process)):
        return _FREE
    return _WAIT if theirs.partition("/")[0] == ours.partition("/")[0] else _BUSY


def _identity(pid: int) -> Optional[ProcessId]:
    found = identify(pid)
    return found.as_json() if found else None


def _describe(holder: Optional[Any]) -> Message:
    if not isinstance(holder, dict):
        return message("deploy.busy-just-begun", "another deploy has just begun")
    since = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(float(holder.get("at", 0))))
    return message(
        "deploy.busy",
        "another deploy has been writing into this folder since {since} ({host})",
        since=since,
        host=str(holder.get("host")),
    )
