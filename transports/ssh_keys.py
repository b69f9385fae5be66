"""The private keys that an inventory names, opened as late as possible."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncssh

from transports.base import Endpoint, Prompts
from transports.errors import AuthenticationFailed


@dataclass(frozen=True, slots=True)
class Identities:
    """What to offer to the node: ``keys`` for asyncssh, and their ``public`` halves.

    A key with a passphrase stays a path, so that nobody is asked before the node has accepted it, nor when
    the ssh agent holds it.
    """

    keys: tuple[Path | asyncssh.SSHKey, ...]
    public: tuple[asyncssh.SSHKey, ...]

    def options(self) -> dict[str, Any]:
        """Return asyncssh's options: of the agent's keys only these, since servers count the tries."""
        if not self.keys:
            return {}
        return {"client_keys": list(self.keys), "agent_identities": list(self.public)}


async def open_identities(endpoint: Endpoint, prompts: Prompts) -> Identities:
    """Read the endpoint's key files; raises AuthenticationFailed for one that can't be used.

    A passphrase is asked for here only when the file does not show its public half either.
    """
    keys: list[Path | asyncssh.SSHKey] = []
    public: list[asyncssh.SSHKey] = []
    for path in endpoint.identities:
        try:
            shown = _public_half(path)
            key = None if shown else await _unlocked(path, endpoint, prompts)
        except (asyncssh.KeyImportError, asyncssh.KeyEncryptionError) as error:
            raise _unusable(path, str(error), endpoint, "check the file and its passphrase") from error
        except OSError as error:
            reason = error.strerror or str(error)
            raise _unusable(path, reason, endpoint, "correct the node's `identity`") from error
        keys.append(key or path)
        public.extend(half for half in (shown, key) if half)
    return Identities(tuple(keys), tuple(public))


def _public_half(path: Path) -> asyncssh.SSHKey | None:
    path.read_bytes()  # the private file must be there, whatever lies beside it
    try:
        return asyncssh.read_private_key(path).convert_to_public()
    except asyncssh.KeyImportError as error:
        if "assphrase" not in str(error):
            raise
    for candidate in (path.with_name(f"{path.name}.pub"), path):
        try:
            return asyncssh.read_public_key(candidate)
        except (OSError, asyncssh.KeyImportError):
            continue
    return None


async def _unlocked(path: Path, endpoint: Endpoint, prompts: Prompts) -> asyncssh.SSHKey:
    passphrase = await prompts.password(endpoint, f"passphrase of {path}")
    if passphrase is None:
        raise _unusable(
            path,
            "it has a passphrase and nobody typed it",
            endpoint,
            "load it into the ssh agent (ssh-add), or run dtui in a terminal",
        )
    # Deriving a key from a passphrase takes up to a second of computing, on purpose.
    return await asyncio.to_thread(asyncssh.read_private_key, path, passphrase)


def _unusable(path: Path, reason: str, endpoint: Endpoint, remedy: str) -> AuthenticationFailed:
    return AuthenticationFailed(f"the key {path} can't be used: {reason}", where=str(endpoint), remedy=remedy)
