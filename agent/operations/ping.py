"""``ping``: the round trip through a request, and the node's clock."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from agent.wire.facts import PingResult
from agent.wire.operation import Nothing

if TYPE_CHECKING:
    from agent.server import Call

    Request = Call[Nothing, object, object]


def ping(call: Request) -> PingResult:
    """Answer the upload piece by piece as it came, then the node's Unix time in seconds."""
    while True:
        piece = call.receive()
        if piece is None:
            return {"time": time.time()}
        call.send(*piece)
