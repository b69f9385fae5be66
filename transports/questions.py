"""Questions of transports to the user, besides the confirmation of a host key."""

from __future__ import annotations

from pathlib import Path

from agent.wire.message import Message, message

# The keyring answers questions that begin with "password" (see Prompts in tui/), so not PASSWORD_REJECTED.
PASSWORD = message("prompt.password", "password")
PASSWORD_WINRM = message("prompt.password-winrm", "password (WinRM)")
PASSWORD_REJECTED = message("prompt.password-rejected", "the node rejected the last password")


def passphrase_of(key: Path | str) -> Message:
    """Return the question for the passphrase of a key file."""
    return message("prompt.passphrase", "passphrase of {key}", key=str(key))


def is_passphrase(question: str) -> bool:
    """Whether the question is for a key's passphrase, which is a different secret from the password.

    False for a question of the node itself, with any text.
    """
    return isinstance(question, Message) and question.id == "prompt.passphrase"
