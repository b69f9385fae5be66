"""``portcheck``: can the ports be listened on, tried out for a moment each.

Arguments: ``address`` (our own, as the others reach us; may be empty), ``ports``. The result is
``{"ports": {port: {"all", "own", "holder"}}, "excluded": [[first, last]]}``: ``all`` and ``own`` say why all
addresses or our own can't be listened on (None: they can), ``holder`` who holds a port that is in use.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Dict

from agent.checks.portbinding import excluded_ranges, holder, try_to_listen

if TYPE_CHECKING:
    from agent.server import Call


def portcheck(call: Call) -> Dict[str, Any]:
    """Try each port."""
    address = str(call.args.get("address") or "")
    ports: Dict[str, Dict[str, Any]] = {}
    for port in call.args["ports"]:
        on_all = try_to_listen("", int(port))
        on_own = try_to_listen(address, int(port)) if address else on_all
        held = holder(int(port)) if "in-use" in (on_all, on_own) else None
        ports[str(port)] = {"all": on_all, "own": on_own, "holder": held}
    return {"ports": ports, "excluded": [list(span) for span in excluded_ranges()]}
