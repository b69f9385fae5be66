"""Checks of ports: each is free on the node and accepts connections from every other node."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from agent.wire.message import Message, message
from agent.wire.preflight import PortHolder
from fleet.nodeset import fold
from fleet.preflight.check import Check, Evaluator, Subject, Verdict, fail, ok, skip, warn
from fleet.preflight.checks import gloo
from fleet.preflight.observations import FACTS, LINK, MESH, PORTS
from fleet.preflight.pairs import (
    EPHEMERAL,
    BlockedRoute,
    blocked_messages,
    blocked_routes,
    observed_address,
    same_family,
)

#: The agent's codes for why a port cannot be listened on; any other text is the operating system's.
_LISTEN_ERRORS: Mapping[str, Message] = {
    "in-use": message("preflight.listen-in-use", "the port is in use"),
    "forbidden": message("preflight.listen-forbidden", "permission denied"),
    "not-ours": message("preflight.listen-not-ours", "not an address of the node"),
    "all-addresses": message("preflight.listen-all-addresses", "not the address of one adapter"),
}


def fixed_port(port: int) -> Evaluator:
    """Return the evaluator of one port's column.

    A run needs only the port of the rendezvous, and only on rank 0's node: a problem elsewhere is a warning.
    """

    def evaluate(subject: Subject) -> Verdict:
        needed = subject.hosts_rank_0 and port == subject.situation.rendezvous
        taken = _taken(subject, port, needed)
        if taken is not None:
            return taken
        return _inbound(subject, str(port), needed)

    return evaluate


def ephemeral(subject: Subject) -> Verdict:
    """Evaluate the port that the operating system chooses: every rank listens on such a port."""
    addresses = subject.once(_addresses)
    if not same_family(addresses):
        return fail(
            message(
                "preflight.port-mixed-families",
                "the nodes have IPv4 and IPv6 addresses ({addresses})",
                addresses=addresses,
            ),
            message(
                "preflight.port-mixed-families.remedy",
                "set IPv4 addresses for all nodes: peers of different IP versions cannot connect",
            ),
        )
    return _inbound(subject, EPHEMERAL, True)


def _addresses(subject: Subject) -> list[str]:
    situation = subject.situation
    return [observed_address(node, situation, subject.seen) for node in situation.nodes]


def _taken(subject: Subject, port: int, needed: bool) -> Verdict | None:
    """Return the verdict on a port that cannot be listened on; None when it can."""
    found = subject[PORTS]["ports"].get(str(port))
    if found is None or (found["all"] is None and found["own"] is None):
        return None
    reserved = next((span for span in subject[PORTS]["excluded"] if span[0] <= port <= span[1]), None)
    if reserved is not None:
        seen = message(
            "preflight.port-reserved",
            "port {port} is reserved by Windows ({first}-{last}, often for Hyper-V)",
            port=port,
            first=reserved[0],
            last=reserved[1],
        )
        remedy = message(
            "preflight.port-reserved.remedy",
            "choose a port outside that range (--port), or restart the winnat service on {node}",
            node=subject.node.name,
        )
    elif "in-use" in (found["all"], found["own"]):
        seen = _in_use(port, found["holder"])
        remedy = message(
            "preflight.port-in-use.remedy",
            "stop that program (an old run: dtui stop), or choose another port (--port)",
        )
    else:
        seen = message(
            "preflight.port-not-listening",
            "cannot listen on port {port}: {error}",
            port=port,
            error=_listen_error(found["own"] or found["all"] or ""),
        )
        remedy = message("preflight.port-not-listening.remedy", "choose another port (--port)")
    if not needed:
        return warn(
            message("preflight.port-not-used", "{problem}; this run does not listen on it", problem=seen)
        )
    if subject.on_loopback:
        # All labs and demos of a machine share its ports, and the other program may end at any moment.
        return warn(message("preflight.port-this-machine", "{problem} on this machine", problem=seen), remedy)
    return fail(seen, remedy)


def _in_use(port: int, holder: PortHolder | None) -> Message:
    if holder is None or holder["pid"] is None:
        return message("preflight.port-in-use", "port {port} is in use by another program", port=port)
    if not holder["name"]:
        return message(
            "preflight.port-in-use-by-pid",
            "port {port} is in use by the process with pid {pid}",
            port=port,
            pid=holder["pid"],
        )
    return message(
        "preflight.port-in-use-by-program",
        "port {port} is in use by {program} (pid {pid})",
        port=port,
        program=holder["name"],
        pid=holder["pid"],
    )


def _listen_error(code: str) -> Message:
    return _LISTEN_ERRORS.get(code) or Message(code)


def _inbound(subject: Subject, port: str, needed: bool) -> Verdict:
    mesh = subject[MESH]
    others = [node.name for node in subject.situation.nodes if node.name != subject.node.name]
    if not others:
        if port != EPHEMERAL:
            return ok(message("preflight.port-free", "free"))
        return skip(message("preflight.port-single-node", "the run has only one node"))
    listening = mesh["listening"].get(port)
    if listening is not None and listening["port"] is None:
        return warn(
            message(
                "preflight.port-no-listener",
                "no listener could be opened ({error}), so connections to it were not tested",
                error=_listen_error(listening["error"] or ""),
            )
        )
    tested = [
        name
        for name in others
        if (seen := subject.of(name, MESH)) is not None and port in seen["reaches"].get(subject.node.name, {})
    ]
    if not tested:
        return skip(message("preflight.port-not-tested", "no other node could test the connection"))
    blocked = [
        route
        for route in blocked_routes(subject.seen, subject.situation.nodes, subject.node.name)
        if port in route.ports
    ]
    if blocked:
        return _blocked(subject, port, blocked, needed)
    result = message("preflight.port-open", "open from {nodes}", nodes=fold(tested))
    if len(tested) < len(others):
        result = message(
            "preflight.port-partly-tested",
            "{result}; not tested from {nodes}",
            result=result,
            nodes=fold(sorted(set(others) - set(tested))),
        )
    if not mesh["trains"]:
        result = message(
            "preflight.port-other-python",
            "{result} (tested with the agent's Python: nothing is deployed yet)",
            result=result,
        )
    return ok(result)


def _blocked(subject: Subject, port: str, blocked: list[BlockedRoute], needed: bool) -> Verdict:
    name = subject.node.name
    if subject.on_windows:
        remedy = message(
            "preflight.port-blocked-windows.remedy",
            "allow the addresses of all nodes on all TCP ports of {node} (dtui preflight --fix, or "
            "worker_setup.ps1)",
            node=name,
        )
    else:
        remedy = message(
            "preflight.port-blocked.remedy",
            "allow the addresses of all nodes on all TCP ports of {node} (dtui preflight --fix)",
            node=name,
        )
    of_port = [BlockedRoute(one.source, one.target, (port,), one.outcome, False) for one in blocked]
    seen = message("preflight.port-blocked", "{connections:; }", connections=blocked_messages(of_port))
    unreachable = sorted({one.source for one in blocked if one.all_ports})
    if unreachable:
        seen = message(
            "preflight.port-all-blocked",
            "{blocked} (no port is reachable from {nodes})",
            blocked=seen,
            nodes=fold(unreachable),
        )
    if not needed:
        return warn(
            message(
                "preflight.port-blocked-elsewhere",
                "{blocked}; this run only needs port {port} on rank 0's node",
                blocked=seen,
                port=subject.situation.rendezvous,
            ),
            remedy,
        )
    addresses = gloo.published(subject) if port == EPHEMERAL else {}
    if port == EPHEMERAL and all(
        gloo.connects(one.source, one.target, addresses) is False for one in blocked
    ):
        return warn(
            message(
                "preflight.port-blocked-unused",
                "{blocked}; this run does not need it: {node} has the higher address ({address}), so gloo "
                "connects from {node}",
                blocked=seen,
                node=name,
                address=str(addresses[name]),
            ),
            remedy,
        )
    return fail(seen, remedy)


def port_checks(ports: Iterable[int]) -> tuple[Check, ...]:
    """Return the checks of these numbered ports and of an ephemeral one."""
    numbered = tuple(
        Check(str(port), message("check.port", "port {port}", port=port), "ports",
              message("check.port.why", "ranks connect to the rendezvous port of rank 0's node"),
              (LINK, PORTS, MESH), fixed_port(port), "pair")
        for port in ports
    )  # fmt: skip
    last = Check(EPHEMERAL, message("check.ephemeral", "ephemeral port"), "ports",
                 message("check.ephemeral.why",
                         "each rank also listens on an ephemeral port that cannot be configured"),
                 (LINK, FACTS, MESH), ephemeral, "pair")  # fmt: skip
    return (*numbered, last)
