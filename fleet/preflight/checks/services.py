"""Do the services respond that the node's transport logs in to, as seen from the master without a login."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from agent.wire.message import Message, message
from agent.wire.preflight import FoundService, NetprobeResult, Outcome
from fleet.inventory import Node
from fleet.preflight.check import Check, Evaluator, Subject, Verdict, fail, ok, skip
from fleet.preflight.checks.reach import NO_ADDRESS, THIS_MACHINE
from fleet.preflight.observations import LINK, OUTSIDE, LinkUp
from transports.kind import ServiceCheck, TransportKind
from transports.registry import KINDS

_OUTCOMES: Mapping[Outcome, Message] = {
    "open": message("preflight.service-open", "connection accepted"),
    "refused": message(
        "preflight.service-refused", "connection refused (not listening, or rejected by a firewall)"
    ),
    "dropped": message(
        "preflight.service-dropped", "no response (node off, wrong address, or dropped by a firewall)"
    ),
    "unreachable": message("preflight.service-unreachable", "no route to the node"),
    "silent": message("preflight.service-silent", "connection accepted, but no response"),
    "unmeasured": message("preflight.service-unmeasured", "not measured"),
    "foreign": message("preflight.service-foreign", "a different service responds"),
    "error": message("preflight.service-error", "the master could not try to connect"),
}


def responds(kind: TransportKind, check: ServiceCheck) -> Evaluator:
    """Return the evaluator of the services of a transport."""

    def evaluate(subject: Subject) -> Verdict:
        outside, node = subject[OUTSIDE], subject.node
        if outside is None:
            return skip(THIS_MACHINE)
        found = _of(kind.name, outside)
        if not found:
            if kind.name in (member.name for member in node.kind.members):
                return skip(NO_ADDRESS)
            return skip(
                message(
                    "preflight.service-unused", "not used (transport: {transport})", transport=node.transport
                )
            )
        if opened := [service for service in found if service["outcome"] == "open"]:
            described = [_described(service) for service in opened]
            return ok(message("preflight.services-open", "{services:; }", services=described))
        closed = [
            message(
                "preflight.service-closed",
                "port {port}: {outcome}",
                port=service["port"],
                outcome=_OUTCOMES[service["outcome"]],
            )
            for service in found
        ]
        if isinstance(subject[LINK], LinkUp):
            return skip(
                message(
                    "preflight.service-indirect",
                    "{ports:; }; not needed, because the login worked over another connection",
                    ports=closed,
                )
            )
        if others := _open_transports(node, outside):
            return skip(
                message(
                    "preflight.service-others-open",
                    "{ports:; }; not needed, because a service of {transports: and } responds",
                    ports=closed,
                    transports=others,
                )
            )
        seen = message("preflight.services-closed", "{ports:; }", ports=closed)
        if kind.name != node.kind.members[0].name:
            return skip(seen)  # the check of the transport that is tried first has the remedy
        return fail(seen, _remedy(kind, check, found, node.name))

    return evaluate


def _of(transport: str, outside: NetprobeResult) -> list[FoundService]:
    return [service for service in outside["services"] if service["transport"] == transport]


def _open_transports(node: Node, outside: NetprobeResult) -> list[str]:
    """Return those of the transports that the node's transport may use of which a service responds."""
    return [
        member.name
        for member in node.kind.members
        if any(service["outcome"] == "open" for service in _of(member.name, outside))
    ]


def _remedy(kind: TransportKind, check: ServiceCheck, found: Sequence[FoundService], node: str) -> Message:
    if all(service["outcome"] in ("foreign", "silent") for service in found):
        return message(
            "preflight.service-foreign.remedy",
            "correct `port` of {node}: no service for the transport {transport} responds on it",
            node=node,
            transport=kind.name,
        )
    if check.remedy is not None:
        return check.remedy(node)
    return message(
        "preflight.service-closed.remedy",
        "start the service for the transport {transport} on {node}, and allow its port in the firewall",
        transport=kind.name,
        node=node,
    )


def _described(service: FoundService) -> Message:
    port, scheme, schemes = service["port"], service["scheme"], service["auth"]
    if service["protocol"] != "winrm":
        response = service["banner"] or _OUTCOMES["open"]
        return message("preflight.service-open-port", "port {port}: {response}", port=port, response=response)
    if service["banner"]:
        seen = message(
            "preflight.winrm-product",
            "port {port} ({scheme}): {product}",
            port=port,
            scheme=scheme,
            product=service["banner"],
        )
    else:
        seen = message(
            "preflight.winrm-login-required",
            "port {port} ({scheme}) requires authentication for Identify",
            port=port,
            scheme=scheme,
        )
    if not schemes:
        return seen
    return message("preflight.winrm-schemes", "{service} ({schemes})", service=seen, schemes=schemes)


#: One check per transport whose service can be probed without a login.
CHECKS: Final = tuple(
    Check(kind.name, kind.check.title, "reach",
          message("check.service.why", "dtui logs in to the node at this service"),
          (OUTSIDE, LINK), responds(kind, kind.check))
    for kind in KINDS.values() if kind.check is not None
)  # fmt: skip
