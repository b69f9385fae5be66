"""Somebody who answers a transport's questions, and remembers them."""

from __future__ import annotations

from collections.abc import Mapping

from transports.base import Endpoint, HostKey


class Person:
    """Gives ``passwords[reason]``, or the ``password``, and trusts host keys or not."""

    def __init__(
        self,
        password: str | None = None,
        *,
        passwords: Mapping[str, str] | None = None,
        trusting: bool = False,
    ) -> None:
        self.asked: list[str] = []
        self.shown: list[HostKey] = []
        self._password = password
        self._passwords = dict(passwords or {})
        self._trusting = trusting

    async def password(self, endpoint: Endpoint, reason: str) -> str | None:
        self.asked.append(reason)
        return self._passwords.get(reason, self._password)

    async def trust_host_key(self, key: HostKey) -> bool:
        self.shown.append(key)
        return self._trusting
