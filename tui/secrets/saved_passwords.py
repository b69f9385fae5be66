"""Passwords in the system's keyring, which dtui tries before it asks the user."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from msgspec import Struct

if TYPE_CHECKING:
    from transports.base import Endpoint

KEYRING_SERVICE = "dtui"

#: Returns the password kept for an endpoint, given the reason of the question; None when there is none.
FindPassword = Callable[["Endpoint", str], Awaitable[str | None]]


async def saved_password(endpoint: Endpoint, reason: str) -> str | None:
    """Return the keyring's password for ``user@host:port``, None when it has none.

    Passphrases of keys are other secrets, and a rejected password must not be tried again: None as well.
    """
    if not reason.startswith("password"):
        return None
    # A keyring may ask the user to unlock it, which takes as long as the user needs.
    return await asyncio.to_thread(from_keyring, KEYRING_SERVICE, str(endpoint))


async def no_saved_password(endpoint: Endpoint, reason: str) -> str | None:
    """Return None, for callers without a keyring."""
    return None


class TypedPassword(Struct, frozen=True):
    """A password that was typed at ``at``: in memory only, and not in ``repr``."""

    endpoint: Endpoint
    secret: str
    at: float

    def __repr__(self) -> str:
        return f"TypedPassword(endpoint={self.endpoint!r}, at={self.at})"


def can_save() -> bool:
    """Return whether there is a keyring of the system; one that is only a file does not count."""
    import keyring

    backend = keyring.get_keyring()
    first = next(iter(getattr(backend, "backends", ())), backend)
    # The library's own line between stores of the system and the rest.
    return bool(first.priority >= 1)


def save_password(typed: TypedPassword) -> str:
    """Put a password into the system's keyring; returns what went wrong, empty if nothing. May block."""
    return put_in_keyring(KEYRING_SERVICE, str(typed.endpoint), typed.secret)


def put_in_keyring(service: str, name: str, value: str) -> str:
    """Put a value into the system's keyring; returns what went wrong, empty if nothing. May block."""
    import keyring
    from keyring.errors import KeyringError

    try:
        keyring.set_password(service, name, value)
    except KeyringError as error:
        return str(error) or type(error).__name__
    return ""


def from_keyring(service: str, name: str) -> str | None:
    """Return a value from the system's keyring, None when it has none. May block."""
    import keyring
    from keyring.errors import KeyringError

    try:
        return keyring.get_password(service, name)
    except KeyringError:
        return None  # a machine without a keyring, or a locked one: the user is asked
