"""How an operation, on the engine's thread, asks the person at the screen."""

from __future__ import annotations

import asyncio
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from fleet.frozen import frozen
from tui.kept_passwords import KeptPassword, Typed, nothing_kept

if TYPE_CHECKING:
    from fleet.preflight.fixes import Fix
    from transports.base import Endpoint, HostKey


@frozen
class Question:
    """Something to ask: a password or passphrase, whether a host key is trusted, or a fix is wanted."""

    endpoint: Endpoint | None
    reason: str
    key: HostKey | None
    fix: Fix | None
    _loop: asyncio.AbstractEventLoop
    _answer: asyncio.Future[Any]

    def answer(self, value: object) -> None:
        """Hand the answer over; may be called from any thread, more than once (the first counts)."""

        def put() -> None:
            if not self._answer.done():
                self._answer.set_result(value)

        self._loop.call_soon_threadsafe(put)


class Questions:
    """Implements :class:`transports.base.Prompts`: waits here until the screen has asked.

    What ``kept`` has is not asked for; what was typed is held until it is known whether it was right.
    """

    def __init__(self, kept: KeptPassword = nothing_kept, clock: Callable[[], float] = time.time) -> None:
        self._kept = kept
        self._clock = clock
        self._typed: dict[str, Typed] = {}
        self._waiting: deque[Question] = deque()
        self._asked: Question | None = None
        self._lock = threading.Lock()

    async def password(self, endpoint: Endpoint, reason: str) -> str | None:
        """Return the password that is kept, else what the person types, None when the person gives up."""
        kept = await self._kept(endpoint, reason)
        if kept is not None:
            return kept
        answer = await self._ask(endpoint=endpoint, reason=reason)
        if answer is None:
            return None
        # A key's passphrase is another secret; the agent of the system's SSH keeps those.
        if self._kept is not nothing_kept and not reason.startswith("passphrase"):
            self._typed[str(endpoint)] = Typed(endpoint, str(answer), self._clock())
        return str(answer)

    def accepted(self, logged_in: Callable[[Typed], bool]) -> Typed | None:
        """Return a password that was typed and has logged the person in, and hold it no longer."""
        account = next((name for name, typed in list(self._typed.items()) if logged_in(typed)), None)
        return self._typed.pop(account, None) if account is not None else None

    async def trust_host_key(self, key: HostKey) -> bool:
        """Return whether the person trusts the key."""
        return bool(await self._ask(key=key))

    async def agreed(self, fix: Fix) -> bool:
        """Return whether the person wants this fix."""
        return bool(await self._ask(fix=fix))

    async def _ask(
        self,
        *,
        endpoint: Endpoint | None = None,
        reason: str = "",
        key: HostKey | None = None,
        fix: Fix | None = None,
    ) -> object:
        loop = asyncio.get_running_loop()
        question = Question(endpoint, reason, key, fix, loop, loop.create_future())
        with self._lock:
            self._waiting.append(question)
        try:
            return await question._answer
        finally:
            with self._lock:
                if question in self._waiting:
                    self._waiting.remove(question)
                if self._asked is question:
                    self._asked = None

    def next(self) -> Question | None:
        """Return the next question to show, None while one is being asked or there is none."""
        with self._lock:
            if self._asked is not None or not self._waiting:
                return None
            self._asked = self._waiting.popleft()
            return self._asked
