"""``portcheck``: whether ports can be listened on, tested by briefly opening each.

Arguments: ``address`` (our own, as the others reach us; may be empty), ``ports``. The result is
``{"ports": {port: {"all", "own", "holder"}}, "excluded": [[first, last]]}``: ``all`` and ``own`` are why all
addresses or our own can't be listened on (None: they can), ``holder`` who holds a port that is in use.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Dict, Optional, Tuple

from agent.checks.portbinding import excluded_ranges, holder, try_to_listen
from agent.wire.preflight import PortcheckArgs, PortcheckResult, PortFacts

if TYPE_CHECKING:
    from agent.server import Call

    Request = Call[PortcheckArgs, None, None]

#: Seconds between two checks of a port that is in use.
_PAUSES = (0.02, 0.05, 0.1)


def portcheck(call: Request) -> PortcheckResult:
    """Try each port."""
    address = call.args["address"]
    ports: Dict[str, PortFacts] = {}
    for port in call.args["ports"]:
        on_all, on_own = _try_for_a_while(address, port)
        held = holder(port) if "in-use" in (on_all, on_own) else None
        ports[str(port)] = {"all": on_all, "own": on_own, "holder": held}
    return {"ports": ports, "excluded": excluded_ranges()}


def _try_for_a_while(address: str, port: int) -> Tuple[Optional[str], Optional[str]]:
    # Nodes may share a machine: a port that another one's check briefly holds is not in use.
    for pause in (*_PAUSES, 0.0):
        on_all = try_to_listen("", port)
        on_own = try_to_listen(address, port) if address else on_all
        if "in-use" not in (on_all, on_own):
            break
        time.sleep(pause)
    return on_all, on_own
