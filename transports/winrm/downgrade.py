"""Prevents ``transport: auto`` from logging in over http to a node whose certificate is known."""

from __future__ import annotations

from pathlib import Path

from agent.wire.message import message
from transports.base import Endpoint
from transports.errors import TransportError, Unreachable
from transports.winrm import HTTPS_PORT
from transports.winrm.pins import Pins


def downgrade_error(endpoint: Endpoint, known_hosts: Path) -> TransportError | None:
    """Return the error for a node whose certificate is known, None for others; raises TransportError.

    An attacker who blocks the https port could otherwise have the login sent over http.
    """
    options = dict(endpoint.options)
    if options.get("scheme") == "http":
        return None
    pinned = Pins(known_hosts).find(endpoint.host, endpoint.port or HTTPS_PORT)
    if not (options.get("ca") or options.get("fingerprint") or pinned):
        return None
    return Unreachable(
        message(
            "transport.no-downgrade",
            "not tried, because the node's certificate is known and http does not check it",
        ),
        where=str(endpoint),
        remedy=message(
            "transport.no-downgrade.remedy",
            "start the node's HTTPS listener, or set transport winrm with scheme http for the node",
        ),
    )
