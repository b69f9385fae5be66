"""The error for an answer that no honest WinRM service gives."""

from __future__ import annotations

from agent.wire.message import Message, message
from transports.errors import ProtocolViolation

_CHECK_ADDRESS = message(
    "winrm.address.remedy", "check that the address and port are those of the node's WinRM service"
)


def refusal(what: Message, where: str, remedy: Message = _CHECK_ADDRESS) -> ProtocolViolation:
    """Return the error; ``what`` says what the node sent, ``where`` names the endpoint."""
    return ProtocolViolation(what, where=where, remedy=remedy)
