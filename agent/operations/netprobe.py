"""``netprobe``: how another machine responds to this node, without a login.

Arguments: ``host`` and the ``services`` to look for, see :mod:`agent.checks.services` and
:mod:`agent.checks.echo`.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from agent.checks import services
from agent.checks.echo import echo
from agent.wire.preflight import EchoResult, NetprobeArgs, NetprobeResult

if TYPE_CHECKING:
    from agent.server import Call

    Request = Call[NetprobeArgs, None, None]

#: Services that are looked for at the same time; each takes 4 s at most where nothing answers.
_AT_ONCE = 8


def netprobe(call: Request) -> NetprobeResult:
    """Run all probes of the host concurrently; takes 5 s at most if nothing answers."""
    name = services.resolve(call.args["host"])
    answer: NetprobeResult = {"name": name, "ping": None, "services": []}
    if not name["addresses"]:
        return answer
    address = name["addresses"][0]
    probes = call.args["services"]
    with ThreadPoolExecutor(1 + min(len(probes), _AT_ONCE)) as pool:
        pinging = pool.submit(echo, address)
        finding = [pool.submit(services.find, address, probe) for probe in probes]
        answer["ping"] = pinging.result()
        answer["services"] = [one.result() for one in finding]
    if answer["ping"] is not None and answer["ping"]["method"] is None:
        answer["ping"] = _by_handshake(address, answer)
    return answer


def _by_handshake(address: str, answer: NetprobeResult) -> EchoResult:
    """Return round trips by TCP handshakes with a service that answers, where ICMP is not permitted."""
    port = next((one["port"] for one in answer["services"] if one["ms"] is not None), None)
    times = [services.handshake(address, port) for _ in range(5)] if port else []
    ms = [value for value in times if value is not None]
    return {"method": "tcp" if port else None, "sent": len(times), "received": len(ms), "ms": ms}
