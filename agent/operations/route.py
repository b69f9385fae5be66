"""``route``: which of our addresses talks to the master. Nothing is sent.

Arguments: ``master_address``. The result is ``{"source"}``, None without a route.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent.facts.routes import resolve, source_address
from agent.wire.facts import RouteArgs, RouteResult

if TYPE_CHECKING:
    from agent.server import Call

    Request = Call[RouteArgs, None, None]


def route(call: Request) -> RouteResult:
    """Ask the system's routing."""
    master = call.args["master_address"]
    target = resolve(master) if master else None
    return {"source": source_address(target) if target else None}
