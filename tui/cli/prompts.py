"""Ask the person at the terminal for a password, or whether a host key is the right one."""

from __future__ import annotations

import asyncio
import getpass
import sys

from transports.base import Endpoint, HostKey
from tui.i18n import Texts
from tui.kept_passwords import kept_password


class TerminalPrompts:
    """Questions on the terminal, one at a time; passwords come from the keyring first.

    Without a terminal nothing is asked: no password, and no new host key is trusted.
    """

    def __init__(self, texts: Texts | None = None) -> None:
        self._texts = texts or Texts()
        self._turn = asyncio.Lock()

    async def password(self, endpoint: Endpoint, reason: str) -> str | None:
        """Return the keyring's password for ``user@host:port``, else what the person types."""
        async with self._turn:
            kept = await kept_password(endpoint, reason)
            if kept is not None:
                return kept
            if not sys.stdin.isatty():
                return None
            question = self._texts.said(f"{reason} for {endpoint}")
            return await asyncio.to_thread(getpass.getpass, f"{question}: ")

    async def trust_host_key(self, key: HostKey) -> bool:
        """Show the fingerprint and take only a spelled-out yes."""
        if not sys.stdin.isatty():
            return False
        async with self._turn:
            said = self._texts.said
            shown = said(f"{key.host}:{key.port} shows a host key that is not known yet")
            compare = said("Compare it with the one that worker_setup.ps1 printed on that machine.")
            question = (
                f"{shown}:\n  {key.algorithm} {key.fingerprint}\n{compare} {said('Trust it?')} [yes/NO] "
            )
            print(question, end="", file=sys.stderr, flush=True)
            answer: str = await asyncio.to_thread(sys.stdin.readline)
            return answer.strip().lower() == "yes"
