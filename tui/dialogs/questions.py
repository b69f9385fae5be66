"""Questions from an operation, on the engine's thread, to the user at the screen."""

from __future__ import annotations

import asyncio
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from agent.wire.message import EMPTY, Message
from tui.secrets.saved_passwords import FindPassword, TypedPassword, no_saved_password

if TYPE_CHECKING:
    from fleet.preflight.fixes import Fix
    from transports.base import Endpoint, HostKey


class Question(Struct, frozen=True):
    """A question: for a password, passphrase or secret, or whether to trust a host key or apply a fix.

    ``text`` is any other question that is answered with yes or no.
    """

    endpoint: Endpoint | None
    reason: str
    key: HostKey | None
    fix: Fix | None
    #: The name of a run's secret.
    secret: str
    text: Message
    _loop: asyncio.AbstractEventLoop
    _answer: asyncio.Future[Any]

    def answer(self, value: object) -> None:
        """Submit the answer; may be called from any thread, more than once (the first counts)."""

        def put() -> None:
            if not self._answer.done():
                self._answer.set_result(value)

        self._loop.call_soon_threadsafe(put)


class Questions:
    """Implements :class:`transports.base.Prompts`: waits here until the screen has asked.

    A password that ``kept`` has is not asked for; one that was typed is held until a login accepts it.
    """

    def __init__(
        self, kept: FindPassword = no_saved_password, clock: Callable[[], float] = time.time
    ) -> None:
        self._kept = kept
        self._clock = clock
        self._typed: dict[str, TypedPassword] = {}
        self._waiting: deque[Question] = deque()
        self._asked: Question | None = None
        self._lock = threading.Lock()
        self._changed: Callable[[], object] = _ignore

    def subscribe(self, changed: Callable[[], object]) -> None:
        """Call ``changed`` when :meth:`next` may return a question, from any thread; it must not block."""
        self._changed = changed

    async def password(self, endpoint: Endpoint, reason: str) -> str | None:
        """Return the password in the keyring, else what the user types, None when the user cancels."""
        kept = await self._kept(endpoint, reason)
        if kept is not None:
            return kept
        answer = await self._ask(endpoint=endpoint, reason=reason)
        if answer is None:
            return None
        # A key's passphrase is another secret; the agent of the system's SSH keeps those.
        if self._kept is not no_saved_password and not reason.startswith("passphrase"):
            self._typed[str(endpoint)] = TypedPassword(endpoint, str(answer), self._clock())
        return str(answer)

    def accepted(self, logged_in: Callable[[TypedPassword], bool]) -> TypedPassword | None:
        """Return a password that was typed and has been accepted, and hold it no longer."""
        account = next((name for name, typed in list(self._typed.items()) if logged_in(typed)), None)
        return self._typed.pop(account, None) if account is not None else None

    async def trust_host_key(self, key: HostKey) -> bool:
        """Return whether the user trusts the key."""
        return bool(await self._ask(key=key))

    async def agreed(self, fix: Fix) -> bool:
        """Return whether the user agrees to this fix."""
        return bool(await self._ask(fix=fix))

    async def secret(self, name: str) -> str | None:
        """Return what the user types as the value of a run's secret, None when the user cancels."""
        answer = await self._ask(secret=name)
        return None if answer is None else str(answer)

    async def confirmed(self, question: Message) -> bool:
        """Return whether the user answers a question with yes."""
        return bool(await self._ask(text=question))

    async def _ask(
        self,
        *,
        endpoint: Endpoint | None = None,
        reason: str = "",
        key: HostKey | None = None,
        fix: Fix | None = None,
        secret: str = "",
        text: Message = EMPTY,
    ) -> object:
        loop = asyncio.get_running_loop()
        question = Question(endpoint, reason, key, fix, secret, text, loop, loop.create_future())
        with self._lock:
            self._waiting.append(question)
        self._changed()
        try:
            return await question._answer
        finally:
            with self._lock:
                if question in self._waiting:
                    self._waiting.remove(question)
                if self._asked is question:
                    self._asked = None
            self._changed()

    def next(self) -> Question | None:
        """Return the next question to show, None while one is being asked or there is none."""
        with self._lock:
            if self._asked is not None or not self._waiting:
                return None
            self._asked = self._waiting.popleft()
            return self._asked


def _ignore() -> None:
    """Do nothing until there is a subscriber."""
