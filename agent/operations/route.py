"""``route``: which of our addresses talks to the master. Nothing is sent.

Arguments: ``master_address``. The result is ``{"source"}``, None where there is no way.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Dict

from agent.facts.routes import resolve, source_address

if TYPE_CHECKING:
    from agent.server import Call


def route(call: Call) -> Dict[str, Any]:
    """Ask the system's routing."""
    master = str(call.args.get("master_address") or "")
    target = resolve(master) if master else None
    return {"source": source_address(target) if target else None}
