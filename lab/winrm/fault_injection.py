"""Injects errors between a client and the service."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

from lab.winrm.faults import Fault

Kind = Literal[
    "drop-before",  # the connection breaks, and the request was not executed
    "drop-after",  # the request was executed (Receive: its output is gone), the answer is lost
    "drop-inside",  # the same, after half of the answer
    "status",  # a plain HTTP error instead of an answer
    "hold-before",  # the request waits until the test releases it
    "hold-after",  # executed immediately, and the answer waits until the test releases it
    "bad-seal",  # the answer is sealed with a key that the client does not have
    "fault",  # a WS-Management fault
]


@dataclass(slots=True)
class Injection:
    """An error to inject into requests of ``action`` (Create, Command, Send, Receive, ...)."""

    action: str
    kind: Kind
    #: Requests of that action to skip first, then how many to hit.
    skip: int = 0
    times: int = 1
    status: int = 500
    fault: Callable[[], Fault] | None = None
    #: Set when a request is hit; a held request continues when the test sets ``release``.
    hit: threading.Event = field(default_factory=threading.Event)
    release: threading.Event = field(default_factory=threading.Event)


class FaultInjector:
    """Injects errors into the requests of a service, and counts them."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._injections: list[Injection] = []
        self._every: list[tuple[str, int, Kind]] = []
        self._seen: dict[str, int] = {}
        self.hits = 0

    def inject(self, error: Injection) -> Injection:
        """Inject an error and return it."""
        with self._lock:
            self._injections.append(error)
        return error

    def every(self, count: int, action: str, kind: Kind) -> None:
        """Hit each ``count``-th request of ``action`` from now on."""
        with self._lock:
            self._every.append((action, count, kind))

    def clear(self) -> None:
        """Remove all injections and release held requests."""
        with self._lock:
            for injection in self._injections:
                injection.release.set()
            self._injections.clear()
            self._every.clear()

    def next(self, action: str) -> Injection | None:
        """Count a request and return the error to inject, if any."""
        with self._lock:
            self._seen[action] = self._seen.get(action, 0) + 1
            found = self._single(action) or self._regular(action)
            if found is not None:
                self.hits += 1
                found.hit.set()
            return found

    def seen(self, action: str) -> int:
        """How many requests of ``action`` have arrived."""
        with self._lock:
            return self._seen.get(action, 0)

    def _single(self, action: str) -> Injection | None:
        for injection in self._injections:
            if injection.action != action or injection.times <= 0:
                continue
            if injection.skip:
                injection.skip -= 1
                continue
            injection.times -= 1
            return injection
        return None

    def _regular(self, action: str) -> Injection | None:
        for name, count, kind in self._every:
            if name == action and self._seen[action] % count == 0:
                return Injection(action, kind)
        return None
