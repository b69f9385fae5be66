"""The callbacks of asyncssh during a login: host keys, passwords, passphrases."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import asyncssh

from agent.wire.message import EMPTY, Message, message
from transports.base import Endpoint, Prompts
from transports.questions import PASSWORD, passphrase_of
from transports.quoting import quoted
from transports.ssh.keys import key_locked
from transports.ssh.known_hosts import KnownHosts
from transports.ssh.stages import LoginStages

#: Different questions of a server that are answered in one login.
_MOST_QUESTIONS = 3
#: Characters of a question that are shown.
_LONGEST_QUESTION = 100


class LoginClient(asyncssh.SSHClient):
    """The callbacks for one login. The user is asked each question once, and no answer is stored.

    ``stages`` limit the login. They are paused while the user answers.
    """

    def __init__(self, endpoint: Endpoint, prompts: Prompts, known: KnownHosts, stages: LoginStages) -> None:
        self.endpoint = endpoint
        self.host, self.port = endpoint.host, endpoint.port or 22
        #: The host's key if it is not trusted.
        self.offered: asyncssh.SSHKey | None = None
        #: Whether the user gave a password.
        self.answered = False
        #: Why a key file could not be decrypted; names the file.
        self.locked_key = EMPTY
        self._asked: set[str] = set()
        self._prompts = prompts
        self._known = known
        self.stages = stages

    def connection_made(self, conn: asyncssh.SSHClientConnection) -> None:
        """Begin the stage of the banner."""
        self.stages.connected(conn)

    def trusted_keys(self, host: str, address: str, port: int | None) -> tuple[Any, ...]:
        """Return the trusted, authority and revoked keys; the configuration may rename the host."""
        self.host, self.port = host, port or 22
        return self._known.trusted(self.host, self.port)

    def validate_host_public_key(self, host: str, addr: str, port: int, key: asyncssh.SSHKey) -> bool:
        """Record a key that is not trusted, and reject it for now."""
        self.offered = key
        return False

    async def passphrase(self, file: str) -> str | None:
        """Ask for the passphrase of a key that the node has accepted."""
        given = await self._ask(passphrase_of(file))
        if given is None:
            self.locked_key = key_locked(file)
            return None
        try:
            await asyncio.to_thread(asyncssh.read_private_key, file, given)
        except (asyncssh.KeyImportError, asyncssh.KeyEncryptionError):
            self.locked_key = message("ssh.passphrase-wrong", "the passphrase of {key} is wrong", key=file)
        return given

    async def password_auth_requested(self) -> str | None:
        """Ask the user, once."""
        return await self._password("")

    def kbdint_auth_requested(self) -> str:
        """Accept keyboard-interactive authentication."""
        return ""

    async def kbdint_challenge_received(
        self, name: str, instructions: str, lang: str, prompts: Sequence[tuple[str, bool]]
    ) -> list[str] | None:
        """Answer the questions of the node, in most cases for the password."""
        answers = []
        for question, _ in prompts:
            answer = await self._password(question.strip(" :\r\n"))
            if answer is None:
                return None
            answers.append(answer)
        return answers

    async def _password(self, question: str) -> str | None:
        # "(kim@host) Password" is the same question as "password".
        usual = not question or question.lower().endswith("password")
        wanted = PASSWORD if usual else Message(quoted(question, _LONGEST_QUESTION))
        answer = await self._ask(wanted)
        self.answered = self.answered or answer is not None
        return answer

    async def _ask(self, question: Message) -> str | None:
        if question in self._asked or len(self._asked) == _MOST_QUESTIONS:
            return None  # a second try with the same answer could lock the account
        self._asked.add(question)
        self.stages.stop()
        try:
            return await self._prompts.password(replace(self.endpoint, port=self.port), question)
        finally:
            self.stages.start()
