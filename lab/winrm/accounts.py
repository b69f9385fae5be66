"""Who may log in, and the acceptor's side of NTLM and SPNEGO."""

from __future__ import annotations

import contextlib
import os
import tempfile
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path

import spnego
from spnego.exceptions import SpnegoError

#: pyspnego's acceptor reads passwords only from the file that this environment variable names.
_VARIABLE = "NTLM_USER_FILE"
_VARIABLE_LOCK = threading.Lock()
#: Domains that a client may put before a local user's name.
_LOCAL_DOMAINS = ("", ".", "WORKGROUP", "LAB")


class LoginRefused(Exception):
    """The token or password is wrong."""


class Accounts:
    """Users and passwords of one node; ``denied`` may log in and is refused everything else.

    Names are compared as Windows does, without case. Passwords can't hold a colon or a line break.
    """

    def __init__(self, passwords: Mapping[str, str], denied: frozenset[str] = frozenset()) -> None:
        for user, password in passwords.items():
            if set(user + password) & set(":\r\n"):
                raise ValueError(f"the name or password of {user!r} holds a colon or a line break")
        self._passwords = {user.casefold(): password for user, password in passwords.items()}
        self._denied = {user.casefold() for user in denied}
        self.refusals = 0

    def change(self, user: str, password: str) -> None:
        """Give a user another password; existing logins stay valid."""
        self._passwords[user.casefold()] = password

    def denies(self, user: str) -> bool:
        """Whether that account, logged in, has no right to open a shell."""
        return user.rpartition("\\")[2].casefold() in self._denied

    def check(self, user: str, password: str) -> str:
        """Return the name of a user who gave the right password (Basic); raises LoginRefused."""
        known = self._passwords.get(user.rpartition("\\")[2].casefold())
        if known is None or known != password:
            self.refusals += 1
            raise LoginRefused
        return user

    def acceptor(self, token: bytes) -> spnego.ContextProxy:
        """Return a fresh context for a handshake that starts with ``token``."""
        raw_ntlm = token.startswith(b"NTLMSSP")
        options = spnego.NegotiateOptions.use_ntlm if raw_ntlm else spnego.NegotiateOptions.use_negotiate
        with self._known_to_acceptor():
            return spnego.server(protocol="ntlm" if raw_ntlm else "negotiate", options=options)

    def step(self, context: spnego.ContextProxy, token: bytes) -> bytes:
        """Take one step of the handshake; raises LoginRefused."""
        try:
            with self._known_to_acceptor():
                return context.step(token) or b""
        except (SpnegoError, ValueError) as error:
            self.refusals += 1
            raise LoginRefused from error

    @contextlib.contextmanager
    def _known_to_acceptor(self) -> Iterator[None]:
        # The variable is set for one step only, so that several nodes in a process don't share users.
        with _VARIABLE_LOCK, self._file() as path:
            before = os.environ.get(_VARIABLE)
            os.environ[_VARIABLE] = path
            try:
                yield
            finally:
                if before is None:
                    del os.environ[_VARIABLE]
                else:
                    os.environ[_VARIABLE] = before

    @contextlib.contextmanager
    def _file(self) -> Iterator[str]:
        lines = "".join(
            f"{domain}:{user}:{password}\n"
            for user, password in self._passwords.items()
            for domain in _LOCAL_DOMAINS
        ).encode()
        if hasattr(os, "memfd_create"):
            descriptor = os.memfd_create("accounts")
            try:
                os.write(descriptor, lines)
                yield f"/proc/self/fd/{descriptor}"
            finally:
                os.close(descriptor)
            return
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "accounts"
            path.touch(mode=0o600)
            path.write_bytes(lines)
            yield str(path)
