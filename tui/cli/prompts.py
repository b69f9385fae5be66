"""Asks at the terminal for a password, or whether a host key is the right one."""

from __future__ import annotations

import asyncio

from agent.wire.message import Message, message
from fleet.terminal import one_line
from transports.base import Endpoint, HostKey
from tui.cli.output import ask_secret, ask_yes, is_terminal
from tui.i18n import Texts
from tui.secrets.saved_passwords import saved_password


class TerminalPrompts:
    """Questions on the terminal, one at a time; passwords come from the keyring first.

    Without a terminal nothing is asked: no password, and no new host key is trusted.
    """

    def __init__(self, texts: Texts | None = None) -> None:
        self._texts = texts or Texts()
        self._turn = asyncio.Lock()

    async def password(self, endpoint: Endpoint, reason: Message) -> str | None:
        """Return the keyring's password for ``user@host:port``, else what the user types."""
        async with self._turn:
            kept = await saved_password(endpoint, reason)
            if kept is not None:
                return kept
            if not is_terminal("stdin"):
                return None
            question = self._texts.capitalized(
                message("cli.ask-password", "{what} for {account}", what=reason, account=str(endpoint))
            )
            return await asyncio.to_thread(ask_secret, f"{question}: ")

    async def trust_host_key(self, key: HostKey) -> bool:
        """Show the fingerprint and take only a spelled-out yes."""
        if not is_terminal("stdin"):
            return False
        async with self._turn:
            texts = self._texts
            shown = texts.translate(
                message(
                    "cli.new-host-key",
                    "{host}:{port} presents a host key that is not recorded yet",
                    host=key.host,
                    port=key.port,
                )
            )
            compare = texts.sentence(
                message(
                    "cli.compare-host-key",
                    "compare it with the fingerprint that worker_setup.ps1 printed on that machine",
                )
            )
            trust = texts.capitalized(message("cli.trust-host-key", "trust it?"))
            fingerprint = f"{one_line(texts.translate(key.algorithm))} {one_line(key.fingerprint)}"
            question = f"{one_line(shown)}:\n  {fingerprint}\n{compare} {trust}"
            return await asyncio.to_thread(ask_yes, question)


class TerminalConfirmation:
    """Asks at the terminal whether to continue, one question after the other."""

    def __init__(self, texts: Texts) -> None:
        self._texts = texts
        self._turn = asyncio.Lock()

    async def ask(self, question: Message) -> bool:
        """Return whether the answer is a spelled-out yes."""
        async with self._turn:
            return await asyncio.to_thread(ask_yes, one_line(self._texts.translate(question)))
