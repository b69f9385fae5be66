"""What asyncssh asks while it logs in: is this host key right, what is the password."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import asyncssh

from transports.base import Endpoint, Prompts
from transports.known_hosts import KnownHosts

#: More different questions than this come from no honest server.
_MOST_QUESTIONS = 3


class LoginClient(asyncssh.SSHClient):
    """The answers for one login. A question is asked once, and no answer is kept.

    ``limit`` is the time that a login may take, which does not run while a person is asked.
    """

    def __init__(
        self, endpoint: Endpoint, prompts: Prompts, known: KnownHosts, limit: asyncio.Timeout, seconds: float
    ) -> None:
        self.endpoint = endpoint
        self.host, self.port = endpoint.host, endpoint.port or 22
        #: The key that the host showed, when it is none of the trusted ones.
        self.offered: asyncssh.SSHKey | None = None
        #: Whether somebody gave a password.
        self.answered = False
        #: The key file that could not be opened, and why.
        self.locked_key = ""
        self._asked: set[str] = set()
        self._prompts = prompts
        self._known = known
        self._limit = limit
        self._seconds = seconds

    def trusted_keys(self, host: str, address: str, port: int | None) -> tuple[Any, ...]:
        """Return the trusted, authority and revoked keys of the host that the configuration leads to."""
        self.host, self.port = host, port or 22
        return self._known.trusted(self.host, self.port)

    def validate_host_public_key(self, host: str, addr: str, port: int, key: asyncssh.SSHKey) -> bool:
        """Note the key that is not known, and refuse it for now."""
        self.offered = key
        return False

    async def passphrase(self, file: str) -> str | None:
        """Ask for the passphrase of a key that the node has accepted."""
        given = await self._ask(f"passphrase of {file}")
        if given is None:
            self.locked_key = f"the key {file} has a passphrase and nobody typed it"
            return None
        try:
            await asyncio.to_thread(asyncssh.read_private_key, file, given)
        except (asyncssh.KeyImportError, asyncssh.KeyEncryptionError):
            self.locked_key = f"the passphrase of {file} is wrong"
        return given

    async def password_auth_requested(self) -> str | None:
        """Ask the person, once."""
        return await self._password("password")

    def kbdint_auth_requested(self) -> str:
        """Take part."""
        return ""

    async def kbdint_challenge_received(
        self, name: str, instructions: str, lang: str, prompts: Sequence[tuple[str, bool]]
    ) -> list[str] | None:
        """Answer what the node asks, which is the password for most."""
        answers = []
        for question, _ in prompts:
            answer = await self._password(question.strip(" :\r\n") or "password")
            if answer is None:
                return None
            answers.append(answer)
        return answers

    async def _password(self, question: str) -> str | None:
        # "(kim@host) Password" is the same question as "password".
        wanted = "password" if question.lower().endswith("password") else question
        answer = await self._ask(wanted)
        self.answered = self.answered or answer is not None
        return answer

    async def _ask(self, question: str) -> str | None:
        if question in self._asked or len(self._asked) == _MOST_QUESTIONS:
            return None  # a second try with the same answer could lock the account
        self._asked.add(question)
        self._limit.reschedule(None)
        try:
            return await self._prompts.password(replace(self.endpoint, port=self.port), question)
        finally:
            self._limit.reschedule(asyncio.get_running_loop().time() + self._seconds)
