"""Is the node on the network, and does the login lead to a running agent."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final, get_args

from agent.wire.message import Message, message
from agent.wire.preflight import NetprobeResult
from fleet.addresses import ip_address
from fleet.inventory import Node
from fleet.preflight.check import Check, Evaluator, Subject, Verdict, fail, ok, skip, warn
from fleet.preflight.observations import FACTS, LINK, OUTSIDE, ChainLink, LinkUp

CHAIN: Final[tuple[ChainLink, ...]] = get_args(ChainLink)
THIS_MACHINE = message("preflight.this-machine", "this machine")
NO_ADDRESS = message("preflight.no-address", "the name has no address")
_WORKS = message("preflight.link-works", "ok")


def ping(subject: Subject) -> Verdict:
    """Evaluate the round trips."""
    outside, node = subject[OUTSIDE], subject.node
    if outside is None:
        return skip(THIS_MACHINE)
    found = outside["ping"]
    if found is None:
        return skip(NO_ADDRESS)
    if found["method"] is None:
        return skip(
            message(
                "preflight.ping-not-permitted",
                "the master is not permitted to send ICMP, and the node has no open port to measure instead",
            )
        )
    sent, received = found["sent"], found["received"]
    if received == 0:
        if _responds(outside):
            return skip(
                message(
                    "preflight.ping-blocked",
                    "no reply to ICMP echo (a firewall may block it); other ports respond",
                )
            )
        return warn(
            message("preflight.ping-no-reply", "no reply to ICMP echo, and no port responds"),
            message(
                "preflight.ping-no-reply.remedy",
                "check that {node} is on and has the address {address}",
                node=node.name,
                address=node.address,
            ),
        )
    times = sorted(found["ms"])
    median = times[len(times) // 2]
    if found["method"] == "tcp":
        seen = message(
            "preflight.ping-tcp",
            "{ms:.1f} ms, {received} of {sent} TCP handshakes (the master is not permitted to send ICMP)",
            ms=median,
            received=received,
            sent=sent,
        )
    else:
        seen = message(
            "preflight.ping",
            "{ms:.1f} ms, {received} of {sent} replied",
            ms=median,
            received=received,
            sent=sent,
        )
    if received < sent:
        return warn(
            message("preflight.ping-loss", "{ping}: the connection loses packets", ping=seen),
            message(
                "preflight.ping-loss.remedy",
                "check the cable, the Wi-Fi signal and the duplex settings of {node}",
                node=node.name,
            ),
        )
    return ok(seen)


def name(subject: Subject) -> Verdict:
    """Evaluate the resolution of the node's name."""
    outside, node = subject[OUTSIDE], subject.node
    if outside is None:
        return skip(THIS_MACHINE)
    address, found = node.address, outside["name"]
    if ip_address(address) is not None:
        return skip(message("preflight.name-is-address", "an IP address, not a name"))
    if isinstance(subject[LINK], LinkUp) and not found["addresses"]:
        return skip(
            message(
                "preflight.name-not-needed",
                "{address} does not resolve on the master, but the transport {transport} connects to it",
                address=address,
                transport=node.transport,
            )
        )
    if not found["addresses"]:
        return fail(
            message(
                "preflight.name-unknown",
                "{address} does not resolve ({error})",
                address=address,
                error=found["error"],
            ),
            message(
                "preflight.name-unknown.remedy",
                "set `address` of {node} to its IP address",
                node=node.name,
            ),
        )
    addresses = found["addresses"]
    if all((ip := ip_address(text)) is not None and ip.is_loopback for text in addresses):
        return fail(
            message(
                "preflight.name-loopback",
                "{address} resolves to {addresses}, the master itself",
                address=address,
                addresses=addresses,
            ),
            message(
                "preflight.name-loopback.remedy",
                "correct the hosts file on the master, or set `address` of {node} to its IP address",
                node=node.name,
            ),
        )
    if found["seconds"] > 1.0:
        return warn(
            message(
                "preflight.name-slow",
                "{address} resolves to {addresses}, after {seconds:.1f} s",
                address=address,
                addresses=addresses,
                seconds=found["seconds"],
            ),
            message(
                "preflight.name-slow.remedy", "set `address` of {node} to its IP address", node=node.name
            ),
        )
    return ok(
        message("preflight.name", "{address} resolves to {addresses}", address=address, addresses=addresses)
    )


def hostkey(subject: Subject) -> Verdict:
    """Evaluate whether the node has the recorded host key."""
    link, node = subject[LINK], subject.node
    if node.kind.is_local:
        return skip(THIS_MACHINE)
    if "host-key" not in node.kind.uses:
        return skip(
            message(
                "preflight.hostkey-none",
                "the transport {transport} has no host keys",
                transport=node.transport,
            )
        )
    if isinstance(link, LinkUp):
        return ok(message("preflight.hostkey", "matches the recorded host key"))
    if link.cause in ("HostKeyChanged", "HostKeyUnknown", "CertificateRejected"):
        return fail(link.what, link.remedy)
    return skip(message("preflight.hostkey-unknown", "not checked: no connection reached this step"))


def chain(check: ChainLink) -> Evaluator:
    """Return the evaluator of one link of the chain reach, login, python, agent.

    The first that fails is the reason why the next ones are not checked.
    """

    def evaluate(subject: Subject) -> Verdict:
        link, node = subject[LINK], subject.node
        if isinstance(link, LinkUp):
            return ok(_DESCRIPTIONS[check](node, link))
        if CHAIN.index(check) < CHAIN.index(link.failed_step):
            return ok(_WORKS)
        if check == link.failed_step:
            return fail(link.what, link.remedy)
        return skip(
            message("preflight.link-not-checked", "not checked: `{check}` failed", check=link.failed_step)
        )

    return evaluate


def agent(subject: Subject) -> Verdict:
    """Evaluate the last link of the chain: the agent runs and has reported the facts."""
    missing = subject.absent(FACTS)
    if isinstance(subject[LINK], LinkUp) and missing is not None:
        remedy = message(
            "preflight.agent-no-facts.remedy", "check that {node} is on, then retry", node=subject.node.name
        )
        return fail(missing.reason, missing.remedy or remedy)
    return chain("agent")(subject)


def _connection(node: Node, _: LinkUp) -> Message:
    if node.kind.is_local:
        return THIS_MACHINE
    return message(
        "preflight.reach",
        "connected to {address} by {transport}",
        address=node.address,
        transport=node.transport,
    )


def _login(node: Node, _: LinkUp) -> Message:
    return message("preflight.login", "logged in as {user}", user=node.user) if node.user else _WORKS


def _python(_: Node, link: LinkUp) -> Message:
    return message(
        "preflight.python",
        "Python {version} ({path})",
        version=link.hello.python,
        path=link.hello.executable,
    )


def _agent(_: Node, link: LinkUp) -> Message:
    return message("preflight.agent", "responds in {ms:.0f} ms", ms=link.latency_ms)


_DESCRIPTIONS: Mapping[ChainLink, Callable[[Node, LinkUp], Message]] = {
    "reach": _connection,
    "login": _login,
    "python": _python,
    "agent": _agent,
}


def _responds(outside: NetprobeResult) -> bool:
    return any(service["outcome"] in ("open", "refused") for service in outside["services"])


#: Of the node's address, before its services.
NETWORK_CHECKS: Final = (
    Check("ping", message("check.ping", "ping"), "reach",
          message("check.ping.why", "a connection that loses packets slows every step down"),
          (OUTSIDE,), ping),
    Check("name", message("check.name", "name resolution"), "reach",
          message("check.name.why", "a name may resolve to a different machine"),
          (OUTSIDE, LINK), name),
)  # fmt: skip
#: Of the connection, in the order of its steps.
CHECKS: Final = (
    Check("reach", message("check.reach", "connection"), "reach",
          message("check.reach.why",
                  "without a connection, nothing can be deployed to the node or started on it"),
          (LINK,), chain("reach")),
    Check("hostkey", message("check.hostkey", "host key"), "reach",
          message("check.hostkey.why", "an unverified host key allows a man-in-the-middle attack"),
          (LINK,), hostkey),
    Check("login", message("check.login", "login"), "reach",
          message("check.login.why", "dtui works on a node as the user that it logs in as"),
          (LINK,), chain("login")),
    Check("python", message("check.python", "Python for the agent"), "reach",
          message("check.python.why", "the agent is a Python program and needs Python 3.9 or newer"),
          (LINK,), chain("python")),
    Check("agent", message("check.agent", "agent"), "reach",
          message("check.agent.why", "the agent copies files, starts ranks and reads their logs"),
          (LINK, FACTS), agent, may_be_absent=(FACTS,)),
)  # fmt: skip
