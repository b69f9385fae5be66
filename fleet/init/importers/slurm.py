"""Slurm: a node list (``gpu[01-04,07]``, one or several per line) or the NodeName lines of slurm.conf."""

from __future__ import annotations

import re

from agent.wire.message import message
from fleet.init.candidates import node_name
from fleet.init.importers.hosts import Hosts, without_comment
from fleet.init.importers.model import Host, Imported
from fleet.nodeset import NodeSetError, expand

FORMAT = message("import.format.slurm", "Slurm node list")
_NODE_NAME = re.compile(r"^\s*NodeName=(\S+)(.*)$", re.IGNORECASE)
_OPTION = re.compile(r"(\w+)=(\S+)")
_GPUS = re.compile(r"(?:^|,)gpu(?::[\w.-]+)?:([0-9]{1,2})(?:\(|,|$)")


def matches(text: str) -> bool:
    """Return whether the text consists of host names and node sets, or of slurm.conf's NodeName lines."""
    lines = [line for line in map(without_comment, text.splitlines()) if line]
    if any(_NODE_NAME.match(line) for line in lines):
        return True
    return bool(lines) and all(
        re.fullmatch(r"[\w.,:\[\]-]+", line) and not line.startswith("[") for line in lines
    )


def read(text: str) -> Imported:
    """Return the hosts; with ``Gres=gpu:4`` the number of their GPUs."""
    hosts = Hosts()
    declared = "nodename=" in text.lower()
    for number, line in enumerate(map(without_comment, text.replace("\\\n", " ").splitlines()), 1):
        where = f"line {number}"
        found = _NODE_NAME.match(line)
        if found is not None:
            _declared(hosts, where, found[1], found[2])
        elif line and not declared:
            for name in hosts.expanded(where, line):
                hosts.add(where, Host(name=node_name(name), address=name))
    return Imported(format=FORMAT, hosts=hosts.found, skipped=hosts.skipped)


def _declared(hosts: Hosts, where: str, pattern: str, rest: str) -> None:
    if pattern.upper() == "DEFAULT":
        return
    options = {name.lower(): value for name, value in _OPTION.findall(rest)}
    gpus = _GPUS.search(options.get("gres", ""))
    names = list(hosts.expanded(where, pattern))
    addresses = names
    if "nodeaddr" in options:
        try:
            addresses = list(expand(options["nodeaddr"]))
        except NodeSetError:
            addresses = []
        if len(addresses) != len(names):
            reason = message(
                "import.slurm-addresses",
                "NodeAddr={addresses} is not {n:n address/addresses}",
                addresses=options["nodeaddr"][:80],
                n=len(names),
            )
            hosts.skip(where, reason)
            return
    for name, address in zip(names, addresses, strict=True):
        hosts.add(where, Host(name=node_name(name), address=address, gpus=int(gpus[1]) if gpus else None))
