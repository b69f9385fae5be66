"""The error for an answer that violates the protocol."""

from __future__ import annotations

from agent.wire.message import Message, message
from transports.errors import ProtocolViolation

_CHECK_ADDRESS = message(
    "winrm.address.remedy", "check that the address and port are those of the node's WinRM service"
)


def protocol_violation(what: Message, where: str, remedy: Message = _CHECK_ADDRESS) -> ProtocolViolation:
    """Return the error: ``what`` describes the answer, ``where`` is the endpoint."""
    return ProtocolViolation(what, where=where, remedy=remedy)
