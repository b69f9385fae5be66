"""Passwords that the system's keyring has: looked for before a person is asked, wherever dtui is used."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import field
from typing import TYPE_CHECKING

from fleet.frozen import frozen

if TYPE_CHECKING:
    from transports.base import Endpoint

KEYRING_SERVICE = "dtui"

#: Returns the password kept for an endpoint, given the reason of the question; None when there is none.
KeptPassword = Callable[["Endpoint", str], Awaitable[str | None]]


async def kept_password(endpoint: Endpoint, reason: str) -> str | None:
    """Return the keyring's password for ``user@host:port``, None when it has none.

    Passphrases of keys are other secrets, and a rejected password must not be tried again: None as well.
    """
    if not reason.startswith("password"):
        return None
    # A keyring may ask the person to unlock it: that takes as long as it takes.
    return await asyncio.to_thread(_from_keyring, str(endpoint))


async def nothing_kept(endpoint: Endpoint, reason: str) -> str | None:
    """Return None: where no keyring is to be asked."""
    return None


@frozen
class Typed:
    """A password that was typed at ``at``: in memory only, and not in what a value says of itself."""

    endpoint: Endpoint
    secret: str = field(repr=False)
    at: float


def can_keep() -> bool:
    """Return whether there is a keyring that deserves the name: one that is a file of its own does not."""
    import keyring

    backend = keyring.get_keyring()
    first = next(iter(getattr(backend, "backends", ())), backend)
    # The library's own line between stores of the system and the rest.
    return bool(first.priority >= 1)


def keep(typed: Typed) -> str:
    """Put a password into the system's keyring; returns what went wrong, empty if nothing. May block."""
    import keyring
    from keyring.errors import KeyringError

    try:
        keyring.set_password(KEYRING_SERVICE, str(typed.endpoint), typed.secret)
    except KeyringError as error:
        return str(error) or type(error).__name__
    return ""


def _from_keyring(account: str) -> str | None:
    import keyring
    from keyring.errors import KeyringError

    try:
        return keyring.get_password(KEYRING_SERVICE, account)
    except KeyringError:
        return None  # a machine without a keyring, or a locked one: ask instead
