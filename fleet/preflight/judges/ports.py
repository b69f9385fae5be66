"""Can the port be had on the node, and can every other node come in by it."""

from __future__ import annotations

from typing import Any

from fleet.nodeset import fold
from fleet.preflight.check import Judge, Subject, Verdict, fail, ok, skip, warn
from fleet.preflight.judges import gloo
from fleet.preflight.pairs import (
    EPHEMERAL,
    Broken,
    broken_ways,
    peer_address,
    port_list,
    same_family,
    sentences,
)

_OPEN_ALL = "let the cluster's addresses in at all TCP ports (dtui preflight --fix, or worker_setup.ps1)"


def fixed_port(port: int) -> Judge:
    """Return the judge of one port's column.

    Only the port of the rendezvous is needed, and only on rank 0's node; trouble elsewhere is told as a
    warning, because it decides nothing.
    """

    def judge(subject: Subject) -> Verdict:
        needed = subject.hosts_rank_0 and port == subject.situation.rendezvous
        taken = _taken(subject, port, needed)
        if taken is not None:
            return taken
        return _inbound(subject, str(port), needed)

    return judge


def ephemeral(subject: Subject) -> Verdict:
    """Judge the port that the system chooses: every rank listens on such a one."""
    addresses: list[str] = subject.once("addresses", lambda: _addresses(subject))
    if not same_family(addresses):
        return fail(
            f"nodes have IPv4 and IPv6 addresses side by side ({', '.join(addresses)})",
            "write IPv4 addresses for all nodes: peers of different versions don't find each other",
        )
    return _inbound(subject, EPHEMERAL, True)


def _addresses(subject: Subject) -> list[str]:
    nodes, master = subject.situation.nodes, subject.situation.inventory.master.address
    return [
        peer_address(
            node, (subject.of(node.name, "link") or {}).get("source"), master, first=node is nodes[0]
        )
        for node in nodes
    ]


def _taken(subject: Subject, port: int, needed: bool) -> Verdict | None:
    """Return the verdict on a port that can't be listened on; None when it can."""
    found = subject["ports"]["ports"].get(str(port))
    if found is None or (found["all"] is None and found["own"] is None):
        return None
    reserved = next((span for span in subject["ports"]["excluded"] if span[0] <= port <= span[1]), None)
    if reserved is not None:
        seen = f"{port} is reserved by Windows ({reserved[0]}-{reserved[1]}, often Hyper-V)"
        remedy = "choose a port outside (--port), or restart the winnat service"
    elif "in-use" in (found["all"], found["own"]):
        seen = f"{port} is in use by {_holder(found['holder'])}"
        remedy = "end it (dtui stop, when it is an old run), or choose another port (--port)"
    else:
        seen = f"{port} can't be listened on: {found['own'] or found['all']}"
        remedy = "choose another port (--port)"
    if not needed:
        return warn(f"{seen}; this run does not listen there", "")
    if subject.on_loopback:
        # All labs and demos of a machine share its ports, and the other may be gone in a moment.
        return warn(f"{seen} on this machine", remedy)
    return fail(seen, remedy)


def _holder(holder: dict[str, Any] | None) -> str:
    if not holder or holder.get("pid") is None:
        return "another program"
    return f"{holder.get('name') or 'a program'} (pid {holder['pid']})"


def _inbound(subject: Subject, port: str, needed: bool) -> Verdict:
    mesh = subject["mesh"]
    others = [node.name for node in subject.situation.nodes if node.name != subject.node.name]
    if not others:
        return ok("free") if port != EPHEMERAL else skip("there is only one node")
    listening = mesh["listening"].get(port)
    if listening is not None and listening["port"] is None:
        return warn(f"no listener could be opened ({listening['error']}), so the ways to it were not tried")
    tried = [
        name
        for name in others
        if port in ((subject.of(name, "mesh") or {}).get("reaches", {}).get(subject.node.name) or {})
    ]
    if not tried:
        return skip("no other node could try to reach it")
    here = [
        way
        for way in broken_ways(subject.seen, subject.situation.nodes, subject.node.name)
        if port in way.ports
    ]
    if here:
        return _broken(subject, port, here, needed)
    notes = "" if len(tried) == len(others) else f"; not tried from {fold(sorted(set(others) - set(tried)))}"
    trains = "" if mesh["trains"] else " (with the agent's Python: nothing is deployed yet)"
    return ok(f"open from {fold(tried)}{notes}{trains}")


def _broken(subject: Subject, port: str, here: list[Broken], needed: bool) -> Verdict:
    told = "; ".join(sentences([Broken(way.source, way.target, (port,), way.outcome, False) for way in here]))
    whole = sorted({way.source for way in here if way.all_ports})
    if whole:
        told += f" (nothing at all comes through from {fold(whole)})"
    if not needed:
        rendezvous = subject.situation.rendezvous
        return warn(f"{told}; this run needs {port_list([str(rendezvous)])} on rank 0's node only", _OPEN_ALL)
    if port == EPHEMERAL:
        addresses = gloo.published(subject)
        if all(gloo.connects(way.source, way.target, addresses) is False for way in here):
            why = f"{subject.node.name} has the higher address ({addresses[subject.node.name]})"
            return warn(
                f"{told}; this run goes the other way: {why}, and gloo connects from there", _OPEN_ALL
            )
    return fail(told, _OPEN_ALL)
