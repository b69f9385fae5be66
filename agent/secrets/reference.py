"""What a run's specification holds of its secrets: their names, and where and how to fetch the values."""

from __future__ import annotations

import re
from typing import Any, Dict, List, NamedTuple

from agent.wire.message import Message, message

#: Bytes of UTF-8: of one value, and of all values of a run.
MAX_VALUE = 64 * 1024
MAX_VALUES = 256 * 1024
#: Bytes of the nonce.
NONCE = 32
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}")


class SecretsError(Exception):
    """The secrets cannot be delivered; ``message`` holds the reason, and never a value."""

    def __init__(self, message: Message) -> None:
        super().__init__(message)
        self.message = message


class Reference(NamedTuple):
    """``address`` is a socket's path or a pipe's name; ``nonce`` proves access to the specification."""

    names: List[str]
    address: str
    nonce: bytes

    def as_json(self) -> Any:
        """Return it as ``spec.json`` holds it."""
        return {"names": self.names, "address": self.address, "nonce": self.nonce.hex()}

    @classmethod
    def from_json(cls, value: Any) -> Reference:
        """Return what ``as_json`` wrote; raises SecretsError."""
        try:
            names = [str(name) for name in value["names"]]
            nonce = bytes.fromhex(value["nonce"])
            address = str(value["address"])
        except (KeyError, TypeError, ValueError):
            raise SecretsError(
                message("secrets.unreadable", "the specification's `secrets` cannot be read")
            ) from None
        if len(nonce) != NONCE or not address:
            raise SecretsError(message("secrets.incomplete", "the specification's `secrets` are incomplete"))
        return cls(names, address, nonce)


def checked(value: Any) -> Dict[str, str]:
    """Return the secrets of a request, name to value; raises SecretsError, which never shows a value."""
    if not isinstance(value, dict):
        raise SecretsError(message("secrets.no-object", "`secrets` must be values by name"))
    total = 0
    for name, text in value.items():
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            raise SecretsError(
                message("secrets.name", "the name of a secret is not that of an environment variable")
            )
        if not isinstance(text, str) or "\0" in text:
            raise SecretsError(
                message(
                    "secrets.value", "{name} has a value that an environment variable cannot hold", name=name
                )
            )
        try:
            size = len(text.encode("utf-8"))
        except UnicodeEncodeError:
            raise SecretsError(
                message("secrets.not-text", "{name} has a value that is not valid text", name=name)
            ) from None
        total += size
        if size > MAX_VALUE or total > MAX_VALUES:
            raise SecretsError(
                message(
                    "secrets.too-long",
                    "{name} is too long: one secret has up to {limit} bytes",
                    name=name,
                    limit=MAX_VALUE,
                )
            )
    return dict(value)
