"""What can go wrong between a client and the service, on order."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

from lab.winrm.faults import Fault

Kind = Literal[
    "drop-before",  # the connection breaks, and the request was not carried out
    "drop-after",  # the request was carried out (Receive: its output is gone), the answer is lost
    "drop-inside",  # likewise, after half of the answer
    "status",  # a plain HTTP error instead of an answer
    "hold-before",  # the request waits until the test lets go
    "hold-after",  # carried out at once, and the answer waits until the test lets go
    "bad-seal",  # the answer is sealed with a key that the client does not have
    "fault",  # a WS-Management fault
]


@dataclass(slots=True)
class Trouble:
    """One thing to go wrong with requests of ``action`` (Create, Command, Send, Receive, ...)."""

    action: str
    kind: Kind
    #: Requests of that action to spare first, then how many to hit.
    skip: int = 0
    times: int = 1
    status: int = 500
    fault: Callable[[], Fault] | None = None
    #: Set when a request is hit; a held request goes on when the test sets ``release``.
    hit: threading.Event = field(default_factory=threading.Event)
    release: threading.Event = field(default_factory=threading.Event)


class Troubles:
    """The orders of a service, none at first; counts what was hit."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._orders: list[Trouble] = []
        self._every: list[tuple[str, int, Kind]] = []
        self._seen: dict[str, int] = {}
        self.hits = 0

    def order(self, trouble: Trouble) -> Trouble:
        """Add a trouble and return it."""
        with self._lock:
            self._orders.append(trouble)
        return trouble

    def every(self, count: int, action: str, kind: Kind) -> None:
        """Hit each ``count``-th request of ``action`` from now on."""
        with self._lock:
            self._every.append((action, count, kind))

    def clear(self) -> None:
        """Forget all orders and let held requests go."""
        with self._lock:
            for trouble in self._orders:
                trouble.release.set()
            self._orders.clear()
            self._every.clear()

    def next(self, action: str) -> Trouble | None:
        """Count a request and return what shall befall it."""
        with self._lock:
            self._seen[action] = self._seen.get(action, 0) + 1
            found = self._ordered(action) or self._regular(action)
            if found is not None:
                self.hits += 1
                found.hit.set()
            return found

    def seen(self, action: str) -> int:
        """How many requests of ``action`` have come."""
        with self._lock:
            return self._seen.get(action, 0)

    def _ordered(self, action: str) -> Trouble | None:
        for trouble in self._orders:
            if trouble.action != action or trouble.times <= 0:
                continue
            if trouble.skip:
                trouble.skip -= 1
                continue
            trouble.times -= 1
            return trouble
        return None

    def _regular(self, action: str) -> Trouble | None:
        for name, count, kind in self._every:
            if name == action and self._seen[action] % count == 0:
                return Trouble(action, kind)
        return None
