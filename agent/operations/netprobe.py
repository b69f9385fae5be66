"""``netprobe``: how another machine looks from here, without logging in there.

Arguments: ``host``, ``ssh`` (port or None), ``winrm`` (list of ``[scheme, port]``). The result is
``{"name", "ping", "ssh", "winrm"}``, see :mod:`agent.checks.doors` and :mod:`agent.checks.echo`; the parts
that need an address are None when the name has none.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, Callable, Dict, List, Optional

from agent.checks import doors
from agent.checks.echo import echo

if TYPE_CHECKING:
    from agent.server import Call


def netprobe(call: Call) -> Dict[str, Any]:
    """Look at the host from all sides at once; takes 5 s at most where nothing answers."""
    name = doors.resolve(str(call.args["host"]))
    answer: Dict[str, Any] = {"name": name, "ping": None, "ssh": None, "winrm": []}
    if not name["addresses"]:
        return answer
    address = name["addresses"][0]
    ssh_port = call.args.get("ssh")
    ways = [(str(scheme), int(port)) for scheme, port in call.args.get("winrm") or []]
    looks: List[Callable[[], Any]] = [lambda: echo(address)]
    if ssh_port:
        looks.append(lambda: doors.ssh(address, int(ssh_port)))
    looks += [_winrm_look(address, scheme, port) for scheme, port in ways]
    found = _all(looks)
    answer["ping"] = found[0]
    answer["ssh"] = found[1] if ssh_port else None
    answer["winrm"] = [one for one in found[2 if ssh_port else 1 :] if one is not None]
    if answer["ping"] is not None and answer["ping"]["method"] is None:
        answer["ping"] = _by_handshake(address, answer)
    return answer


def _winrm_look(address: str, scheme: str, port: int) -> Callable[[], Any]:
    return lambda: doors.winrm(address, scheme, port)


def _all(looks: List[Callable[[], Any]]) -> List[Any]:
    results: List[Any] = [None] * len(looks)

    def look(place: int) -> None:
        results[place] = looks[place]()

    threads = [threading.Thread(target=look, args=(place,), daemon=True) for place in range(len(looks))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


def _by_handshake(address: str, answer: Dict[str, Any]) -> Dict[str, Any]:
    """Return round trips by TCP handshakes with a door that is open, where ICMP is not permitted."""
    services = [answer["ssh"], *answer["winrm"]]
    port: Optional[int] = next((one["port"] for one in services if one and one["ms"] is not None), None)
    times = [doors.handshake(address, port) for _ in range(5)] if port else []
    ms = [value for value in times if value is not None]
    return {"method": "tcp" if port else None, "sent": len(times), "received": len(ms), "ms": ms}
