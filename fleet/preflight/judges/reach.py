"""Is the node there, is its door open, does it let us in, can our agent live there."""

from __future__ import annotations

import ipaddress
from typing import Any

from fleet.preflight.check import Absent, Subject, Verdict, fail, ok, skip, warn

CHAIN = ("reach", "login", "python", "agent")
_SAME_MACHINE = "this machine"
_SAID = {
    "refused": "refuses connections (nothing listens there, or a firewall rejects)",
    "dropped": "does not answer (off, wrong address, or a firewall that drops)",
    "unreachable": "can't be reached: the network has no way to it",
    "silent": "accepts connections and then says nothing",
    "foreign": "is answered by something else",
    "error": "can't be tried from here",
}


def ping(subject: Subject) -> Verdict:
    """Judge the round trips."""
    outside = subject["outside"]
    if outside.get("local"):
        return skip(_SAME_MACHINE)
    found = outside["ping"]
    if found is None:
        return skip("its name has no address")
    if found["method"] is None:
        return skip("ICMP is not permitted on the master, and no door is open to time instead")
    sent, received = found["sent"], found["received"]
    if received == 0:
        if _answers(outside):
            return skip("no answer to ICMP echo, which a firewall may hide; other doors answer")
        return warn(
            "no answer to ICMP echo, nor at any door", "check that it is switched on and has this address"
        )
    times = sorted(found["ms"])
    seen = f"{times[len(times) // 2]:.1f} ms, {received} of {sent} answered"
    if found["method"] == "tcp":
        seen += " (TCP handshakes: ICMP is not permitted on the master)"
    if received < sent:
        return warn(f"{seen}: the link loses packets", "look for a bad cable, Wi-Fi or a duplex mismatch")
    return ok(seen)


def name(subject: Subject) -> Verdict:
    """Judge the resolution of the node's name."""
    outside = subject["outside"]
    if outside.get("local"):
        return skip(_SAME_MACHINE)
    address, found = subject.node.address, outside["name"]
    if _is_literal(address):
        return skip("an address, no name")
    if subject["link"]["state"] == "up" and not found["addresses"]:
        return skip(f"{address} is an alias of the SSH configuration")
    if not found["addresses"]:
        return fail(
            f"{address} has no address ({found['error']})", "write its IP address as `address` of the node"
        )
    addresses = found["addresses"]
    if all(ipaddress.ip_address(text.split("%")[0]).is_loopback for text in addresses):
        return fail(
            f"{address} means {', '.join(addresses)}, which is the master itself",
            "correct the hosts file, or write its IP address as `address`",
        )
    seen = f"{address} is {', '.join(addresses)}"
    if found["seconds"] > 1.0:
        return warn(f"{seen}, after {found['seconds']:.1f} s", "write its IP address as `address`")
    return ok(seen)


def ssh(subject: Subject) -> Verdict:
    """Judge the SSH door by what it says before any login."""
    outside, link = subject["outside"], subject["link"]
    if outside.get("local"):
        return skip(_SAME_MACHINE)
    if outside["ssh"] is None:
        return skip("not the way in: transport winrm" if outside["name"]["addresses"] else "no address")
    door = outside["ssh"]
    if door["outcome"] == "open":
        return ok(f"port {door['port']}: {door['banner']}")
    if link["state"] == "up":
        return skip(f"port {door['port']} is not open to the master directly; the login went another way")
    seen = f"port {door['port']} {_SAID[door['outcome']]}"
    if subject.node.transport == "auto" and any(one["outcome"] == "open" for one in outside["winrm"]):
        return skip(f"{seen}; WinRM is open")
    remedy = "run worker_setup.ps1 there (it installs and starts OpenSSH), or start sshd"
    if door["outcome"] in ("foreign", "silent"):
        remedy = "correct `port` of the node: this is no SSH server"
    return fail(seen, remedy)


def winrm(subject: Subject) -> Verdict:
    """Judge the WinRM doors by an Identify that needs no login."""
    outside, link = subject["outside"], subject["link"]
    if outside.get("local"):
        return skip(_SAME_MACHINE)
    doors = outside["winrm"]
    if not doors:
        return skip("not the way in: transport ssh" if outside["name"]["addresses"] else "no address")
    open_ones = [door for door in doors if door["outcome"] == "open"]
    if open_ones:
        return ok("; ".join(_described(door) for door in open_ones))
    seen = "; ".join(f"port {door['port']} {_SAID[door['outcome']]}" for door in doors)
    if link["state"] == "up" or subject.node.transport == "auto":
        return skip(f"{seen}; not needed" if link["state"] == "up" else seen)
    return fail(seen, "run worker_setup.ps1 there (it enables PowerShell Remoting)")


def _described(door: dict[str, Any]) -> str:
    offers = f" ({', '.join(door['auth'])})" if door["auth"] else ""
    if not door["product"]:
        return f"port {door['port']} ({door['scheme']}) wants a login even to say what it is{offers}"
    return f"port {door['port']} ({door['scheme']}): {door['product']}{offers}"


def hostkey(subject: Subject) -> Verdict:
    """Judge whether the node proved to be the one that is known."""
    link = subject["link"]
    if subject.node.transport == "local":
        return skip(_SAME_MACHINE)
    cause = link.get("cause", "")
    if cause in ("HostKeyChanged", "HostKeyUnknown", "CertificateRejected"):
        return fail(link["what"], link["remedy"])
    if link["state"] == "up":
        return ok("the host proved to be the one that is recorded")
    return skip("not checked: no connection came that far")


def chain(check: str) -> Any:
    """Return the judge of one link of the chain reach, login, python, agent.

    The first that fails explains why those after it could not be made.
    """

    def judge(subject: Subject) -> Verdict:
        link, node = subject["link"], subject.node
        if link["state"] == "up":
            return ok(_WORKS[check](node, link))
        broken = link["broken"]
        if CHAIN.index(check) < CHAIN.index(broken):
            return ok("works")
        if check == broken:
            return fail(link["what"], link["remedy"])
        return skip(f"not checked, since `{broken}` failed")

    return judge


def agent(subject: Subject) -> Verdict:
    """Judge the last link of the chain: an agent that lives says what its machine is."""
    facts = subject["facts"]
    if subject["link"]["state"] == "up" and isinstance(facts, Absent):
        return fail(facts.reason, facts.remedy or "look whether the node still runs, and try again")
    verdict: Verdict = chain("agent")(subject)
    return verdict


_WORKS = {
    "reach": lambda node, link: (
        _SAME_MACHINE if node.transport == "local" else f"{node.transport} to {node.address}"
    ),
    "login": lambda node, link: f"as {node.user}" if node.user else "works",
    "python": lambda node, link: f"{link['hello']['python']} at {link['hello']['executable']}",
    "agent": lambda node, link: f"answers in {link['latency_ms']:.0f} ms",
}


def _answers(outside: dict[str, Any]) -> bool:
    doors = [outside["ssh"], *outside["winrm"]]
    return any(door and door["outcome"] in ("open", "refused") for door in doors)


def _is_literal(address: str) -> bool:
    try:
        ipaddress.ip_address(address)
    except ValueError:
        return False
    return True
