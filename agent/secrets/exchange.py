"""The exchange between agent and supervisor, over a stream that both trust to be local and nothing else.

======== =========== ===================================================================
step     from        content
======== =========== ===================================================================
1        agent       a random challenge
2        supervisor  its own challenge, and the proof that it knows the nonce
3        agent       the proof that it knows the nonce, the length of the values, the values
======== =========== ===================================================================

A proof is an HMAC over both challenges, so neither side gives the nonce or a value to a process that happens
to hold the other end. A proof is bound to its side: it cannot be sent back.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import struct
import time
from typing import Dict, Protocol

from agent.secrets.reference import MAX_VALUES, SecretsError
from agent.wire.message import message

_CHALLENGE = 32
_PROOF = 32
_LENGTH = struct.Struct(">I")
#: JSON can write one byte as six (``\\u001f``).
_MAX_PAYLOAD = 6 * MAX_VALUES + (64 << 10)


# The implementations of Stream raise OSErrors with these.
CLOSED = message("secrets.closed", "the other process closed the connection")
TOO_LATE = message("secrets.timeout", "the other process did not answer in time")


class Stream(Protocol):
    """One end of a local connection. Both calls raise OSError, and TimeoutError at the deadline."""

    def read(self, size: int, deadline: float) -> bytes:
        """Return exactly ``size`` bytes; ``deadline`` is a value of time.monotonic()."""

    def write(self, data: bytes, deadline: float) -> None:
        """Write all of ``data``."""

    def close(self) -> None:
        """Close this end."""


class Refused(SecretsError):
    """The peer could not prove that it has the nonce."""


def send_secrets(stream: Stream, nonce: bytes, values: Dict[str, str], timeout: float) -> None:
    """Send the values to a peer that proves itself; raises Refused, SecretsError and OSError."""
    deadline = time.monotonic() + timeout
    mine = os.urandom(_CHALLENGE)
    stream.write(mine, deadline)
    answer = stream.read(_CHALLENGE + _PROOF, deadline)
    theirs, proof = answer[:_CHALLENGE], answer[_CHALLENGE:]
    if not hmac.compare_digest(proof, _prove(nonce, b"supervisor", mine, theirs)):
        raise Refused(
            message(
                "secrets.asked-by-another", "a process that does not know the nonce asked for the secrets"
            )
        )
    payload = json.dumps(values).encode("ascii")
    stream.write(_prove(nonce, b"agent", mine, theirs) + _LENGTH.pack(len(payload)) + payload, deadline)


def receive_secrets(stream: Stream, nonce: bytes, timeout: float) -> Dict[str, str]:
    """Return the values from a peer that proves itself; raises Refused, SecretsError and OSError."""
    deadline = time.monotonic() + timeout
    theirs = stream.read(_CHALLENGE, deadline)
    mine = os.urandom(_CHALLENGE)
    stream.write(mine + _prove(nonce, b"supervisor", theirs, mine), deadline)
    proof = stream.read(_PROOF, deadline)
    if not hmac.compare_digest(proof, _prove(nonce, b"agent", theirs, mine)):
        raise Refused(message("secrets.answered-by-another", "another process answered in the agent's place"))
    (size,) = _LENGTH.unpack(stream.read(_LENGTH.size, deadline))
    if size > _MAX_PAYLOAD:
        raise SecretsError(message("secrets.too-much", "the agent announced more than secrets can have"))
    values = json.loads(stream.read(size, deadline))
    if not isinstance(values, dict):
        raise SecretsError(message("secrets.other-data", "the agent sent something else than values by name"))
    return {str(name): str(value) for name, value in values.items()}


def _prove(nonce: bytes, side: bytes, agents: bytes, supervisors: bytes) -> bytes:
    return hmac.new(nonce, b"dtui secrets 1 " + side + agents + supervisors, hashlib.sha256).digest()
