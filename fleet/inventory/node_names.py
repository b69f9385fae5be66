"""Parsers of the names and addresses of nodes, single ones and node sets."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable

import yaml

from agent.wire.message import EMPTY, Message, message
from fleet.addresses import IpAddress
from fleet.inventory.source import Place, shown
from fleet.inventory.values import Problem, text, texts
from fleet.nodeset import NodeSetError, expand

_NAME = re.compile(r"\w[\w.-]*")
_HOST_LABEL = re.compile(r"(?!-)[\w-]{1,63}(?<!-)")
_OCTET = "(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])"
_IPV4 = re.compile(rf"{_OCTET}(?:\.{_OCTET}){{3}}")
#: Beginnings of addresses that may be those of no machine.
_SPECIAL_IPV4 = ("0.", *(f"{first}." for first in range(224, 256)))
_THIS_NETWORK, _RESERVED = ipaddress.IPv4Network("0.0.0.0/8"), ipaddress.IPv4Network("240.0.0.0/4")


def name(value: str) -> Message | None:
    """Return what is wrong with a node's or group's name, None when it is good."""
    if value == "all":
        return message(
            "inventory.reserved-name", "{name!r} can't be a name: it selects all nodes", name=value
        )
    if _NAME.fullmatch(value) is None or len(value) > 100:
        return message(
            "inventory.not-a-name",
            "{name!r} can't be a name: use up to 100 letters, digits, '.', '_' and '-'",
            name=shown(value),
        )
    return None


def address(value: str) -> Problem | None:
    """Return what is wrong with an address, None when it is an IP literal or a host name."""
    if _IPV4.fullmatch(value) and not value.startswith(_SPECIAL_IPV4):
        return None  # the usual case, five times as fast
    ip = _ip_address(value)
    if ip is not None:
        if _is_special(ip):
            what = message(
                "inventory.not-one-machine", "{address} is not the address of one machine", address=value
            )
            return what, EMPTY
        return None
    if "://" in value or "/" in value:
        return _no_address(value), message(
            "inventory.url.remedy", "write only the host, such as 192.168.1.101"
        )
    if "@" in value:
        return _no_address(value), message("inventory.user-in-address.remedy", "write the user as `user`")
    if re.fullmatch(r"[^:]+:[0-9]+", value):
        return _no_address(value), message("inventory.port-in-address.remedy", "write the port as `port`")
    if re.fullmatch(r"[0-9.]+", value):
        what = message("inventory.not-ipv4", "{value!r} is not an IPv4 address", value=shown(value))
        return what, message("inventory.not-ipv4.remedy", "write four numbers from 0 to 255")
    if len(value) > 253 or not all(_HOST_LABEL.fullmatch(label) for label in value.rstrip(".").split(".")):
        what = message(
            "inventory.not-a-host", "{value!r} is neither an IP address nor a host name", value=shown(value)
        )
        return what, EMPTY
    return None


def other_machine(value: str) -> Problem | None:
    """Return what is wrong with an address for a firewall rule, None for the IP address of a machine."""
    problem = address(value)
    ip = _ip_address(value)
    if problem is not None:
        return problem
    if ip is None:
        return _host_name(value), message(
            "inventory.host-name-in-rule.remedy", "write the IP address: a firewall rule can't have a name"
        )
    if ip.is_loopback or "%" in value:
        what = message(
            "inventory.not-another-machine",
            "other machines can't be reached at {address}",
            address=value,
        )
        return what, message(
            "inventory.not-another-machine.remedy", "write the machine's address in the cluster's network"
        )
    return None


def name_of(address: str) -> str:
    """Return the name of a node that is given by its address only: it can't have an IPv6 address's colons."""
    return address.replace(":", "-")


def _no_address(value: str) -> Message:
    return message("inventory.not-an-address", "{value!r} is not an address", value=shown(value))


def names(node: yaml.Node, place: Place) -> tuple[str, ...] | None:
    """A node set of names."""
    return _node_set(node, place, lambda value: (problem, EMPTY) if (problem := name(value)) else None)


def addresses(node: yaml.Node, place: Place) -> tuple[str, ...] | None:
    """A node set of addresses."""
    return _node_set(node, place, address)


def tags(node: yaml.Node, place: Place) -> tuple[str, ...] | None:
    """A list of tags, each a good name."""
    values = texts(node, place)
    problems = [problem for value in values or () if (problem := name(value))]
    for problem in problems:
        place.fault(node, problem)
    return None if problems else values


def ip_literal(node: yaml.Node, place: Place) -> str | None:
    """An IP address, not a name: rank 0 binds to it, and a name may resolve to loopback."""
    value = text(node, place)
    if value is None:
        return None
    problem = address(value)
    if problem is None and _ip_address(value) is None:
        problem = (
            _host_name(value),
            message(
                "inventory.host-name.remedy", "write the IP address at which the workers reach the master"
            ),
        )
    if problem is not None:
        place.fault(node, *problem)
        return None
    return value


def _host_name(value: str) -> Message:
    return message("inventory.host-name", "{value!r} is a host name, not an IP address", value=shown(value))


def _is_special(ip: IpAddress) -> bool:
    """Return whether an address can be that of no single machine."""
    inner = ip.ipv4_mapped if isinstance(ip, ipaddress.IPv6Address) else ip
    special = inner is not None and (inner in _THIS_NETWORK or inner in _RESERVED or inner.is_multicast)
    return special or ip.is_multicast or ip.is_unspecified


def _ip_address(value: str) -> IpAddress | None:
    try:
        return ipaddress.ip_address(value)
    except ValueError:
        return None


def _node_set(
    node: yaml.Node, place: Place, check: Callable[[str], Problem | None]
) -> tuple[str, ...] | None:
    value = text(node, place)
    if value is None:
        return None
    try:
        values = expand(value)
    except NodeSetError as error:
        place.fault(node, error.message)
        return None
    problems = [problem for one in values if (problem := check(one))]
    for problem in problems:
        place.fault(node, *problem)
    return None if problems else values
