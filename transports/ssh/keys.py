"""The private keys of an inventory, decrypted as late as possible."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncssh

from agent.wire.message import Message, message
from transports.base import Endpoint, Prompts
from transports.errors import AuthenticationFailed
from transports.questions import passphrase_of
from transports.quoting import quoted
from transports.regular_files import read_regular
from transports.system_errors import system_error

#: Bytes of a key file; the largest RSA keys have 13 KB.
_LARGEST = 1 << 20

KEY_LOCKED_REMEDY = message(
    "ssh.key-locked.remedy",
    "load the key into the ssh agent (ssh-add), or type the passphrase in a terminal",
)


def key_locked(file: Path | str) -> Message:
    """Return the reason for a login that lacks the passphrase of a key."""
    return message("ssh.key-locked", "the key {key} needs a passphrase", key=str(file))


def key_unusable(file: Path | str, reason: Message) -> Message:
    """Return the reason for a login that could not use a key."""
    return message("ssh.key-unusable", "the key {key} cannot be used: {error}", key=str(file), error=reason)


@dataclass(frozen=True, slots=True)
class Identities:
    """The keys to offer to the node: ``keys`` for asyncssh, and their ``public`` halves.

    A key with a passphrase stays a path, so that the user is asked only after the node has accepted it, and
    not at all if the ssh agent has it.
    """

    keys: tuple[Path | asyncssh.SSHKey, ...]
    public: tuple[asyncssh.SSHKey, ...]

    def options(self) -> dict[str, Any]:
        """Return asyncssh's options, which limit the ssh agent's keys: servers count the attempts."""
        if not self.keys:
            return {}
        return {"client_keys": list(self.keys), "agent_identities": list(self.public)}


async def open_identities(endpoint: Endpoint, prompts: Prompts) -> Identities:
    """Read the endpoint's key files; raises AuthenticationFailed for one that can't be used.

    The user is asked for a passphrase here only if the public half cannot be read either.
    """
    keys: list[Path | asyncssh.SSHKey] = []
    public: list[asyncssh.SSHKey] = []
    for path in endpoint.identities:
        try:
            shown = _public_half(path)
            key = None if shown else await _unlocked(path, endpoint, prompts)
        except (asyncssh.KeyImportError, asyncssh.KeyEncryptionError) as error:
            remedy = message("ssh.key-unusable.remedy", "check {key} and its passphrase", key=str(path))
            raise _unusable(path, Message(quoted(str(error))), endpoint, remedy) from error
        except OSError as error:
            remedy = message("ssh.key-unreadable.remedy", "set the node's `identity` to a readable key file")
            raise _unusable(path, system_error(error), endpoint, remedy) from error
        keys.append(key or path)
        public.extend(half for half in (shown, key) if half)
    return Identities(tuple(keys), tuple(public))


def _public_half(path: Path) -> asyncssh.SSHKey | None:
    read_regular(path, _LARGEST)  # the private file must exist, even if there is a public one
    try:
        return asyncssh.read_private_key(path).convert_to_public()
    except asyncssh.KeyImportError as error:
        if "assphrase" not in str(error):
            raise
    for candidate in (path.with_name(f"{path.name}.pub"), path):
        try:
            return asyncssh.import_public_key(read_regular(candidate, _LARGEST))
        except (OSError, asyncssh.KeyImportError):
            continue
    return None


async def _unlocked(path: Path, endpoint: Endpoint, prompts: Prompts) -> asyncssh.SSHKey:
    passphrase = await prompts.password(endpoint, passphrase_of(path))
    if passphrase is None:
        raise AuthenticationFailed(key_locked(path), where=str(endpoint), remedy=KEY_LOCKED_REMEDY)
    # Deriving a key from a passphrase takes up to a second of computing, on purpose.
    return await asyncio.to_thread(asyncssh.read_private_key, path, passphrase)


def _unusable(path: Path, reason: Message, endpoint: Endpoint, remedy: Message) -> AuthenticationFailed:
    return AuthenticationFailed(key_unusable(path, reason), where=str(endpoint), remedy=remedy)
