"""A password that a node has rejected is not offered to it again."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from agent.wire.message import Message
from transports.base import Endpoint, HostKey, Prompts
from transports.questions import is_passphrase


class GuardedPrompts:
    """Forwards questions to ``prompts``, but returns no password that the node has rejected.

    Links reconnect automatically, and Windows locks an account after a few failed logins.
    """

    def __init__(self, prompts: Prompts) -> None:
        self._prompts = prompts
        self._given: dict[Endpoint, str] = {}
        self._rejected: dict[Endpoint, set[str]] = {}
        self._open = 0
        self._answered_at = 0.0

    @property
    def asked_at(self) -> float:
        """When the user was asked last, by ``time.monotonic``: now, while a question is open."""
        return time.monotonic() if self._open else self._answered_at

    @property
    def given(self) -> Mapping[Endpoint, str]:
        """The passwords that were given and not rejected."""
        return dict(self._given)

    def reject(self, endpoint: Endpoint) -> None:
        """Record that the node rejected the last password for this endpoint, if there was one."""
        if (password := self._given.pop(endpoint, None)) is not None:
            self._rejected.setdefault(endpoint, set()).add(password)

    async def password(self, endpoint: Endpoint, reason: Message) -> str | None:
        """Return the answer; None if the node has rejected it before."""
        with self._question():
            answer = await self._prompts.password(endpoint, reason)
        if answer is None or is_passphrase(reason):
            return answer
        if answer in self._rejected.get(endpoint, ()):
            return None
        self._given[endpoint] = answer
        return answer

    async def trust_host_key(self, key: HostKey) -> bool:
        """Ask the user to confirm a host key."""
        with self._question():
            return await self._prompts.trust_host_key(key)

    @contextmanager
    def _question(self) -> Iterator[None]:
        self._open += 1
        try:
            yield
        finally:
            self._open -= 1
            self._answered_at = time.monotonic()
