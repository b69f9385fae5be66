"""``portcheck``: can the ports be listened on, tried out for a moment each.

Arguments: ``address`` (our own, as the others reach us; may be empty), ``ports``. The result is
``{"ports": {port: {"all", "own", "holder"}}, "excluded": [[first, last]]}``: ``all`` and ``own`` say why all
addresses or our own can't be listened on (None: they can), ``holder`` who holds a port that is in use.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Dict, Optional, Tuple

from agent.checks.portbinding import excluded_ranges, holder, try_to_listen

if TYPE_CHECKING:
    from agent.server import Call

#: Between looks at a port that is in use, in seconds.
_PAUSES = (0.02, 0.05, 0.1)


def portcheck(call: Call) -> Dict[str, Any]:
    """Try each port."""
    address = str(call.args.get("address") or "")
    ports: Dict[str, Dict[str, Any]] = {}
    for port in call.args["ports"]:
        on_all, on_own = _try_for_a_while(address, int(port))
        held = holder(int(port)) if "in-use" in (on_all, on_own) else None
        ports[str(port)] = {"all": on_all, "own": on_own, "holder": held}
    return {"ports": ports, "excluded": [list(span) for span in excluded_ranges()]}


def _try_for_a_while(address: str, port: int) -> Tuple[Optional[str], Optional[str]]:
    # Nodes may share a machine: what another one's check holds for a moment is not in use.
    for pause in (*_PAUSES, 0.0):
        on_all = try_to_listen("", port)
        on_own = try_to_listen(address, port) if address else on_all
        if "in-use" not in (on_all, on_own):
            break
        time.sleep(pause)
    return on_all, on_own
