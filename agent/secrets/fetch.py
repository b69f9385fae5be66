"""The supervisor's side: fetches the secrets that its specification names."""

from __future__ import annotations

import sys
from typing import Dict

from agent.secrets.exchange import Stream, receive_secrets
from agent.secrets.reference import Reference, SecretsError
from agent.wire.message import message
from agent.wire.reasons import reason_of

#: Seconds for the connection and for the exchange, each.
_LIMIT = 10.0


def fetch(reference: Reference) -> Dict[str, str]:
    """Return each secret by its name; raises SecretsError."""
    try:
        stream = _connect(reference.address)
        try:
            values = receive_secrets(stream, reference.nonce, _LIMIT)
        finally:
            stream.close()
    except (OSError, ValueError) as error:
        raise SecretsError(
            message(
                "secrets.not-fetched",
                "the secrets could not be fetched from the agent: {error}",
                error=reason_of(error),
            )
        ) from None
    if sorted(values) != sorted(reference.names):
        raise SecretsError(message("secrets.other-names", "the agent sent other secrets than the run needs"))
    return values


def _connect(address: str) -> Stream:
    if sys.platform == "win32":
        from agent.secrets.windows import connect

        return connect(address, _LIMIT)
    from agent.secrets.posix import connect

    return connect(address, _LIMIT)
