"""Passwords that the system's keyring has: looked for before a person is asked, wherever dtui is used."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

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


def _from_keyring(account: str) -> str | None:
    import keyring
    from keyring.errors import KeyringError

    try:
        return keyring.get_password(KEYRING_SERVICE, account)
    except KeyringError:
        return None  # a machine without a keyring, or a locked one: ask instead
