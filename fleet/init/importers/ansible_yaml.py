"""Ansible inventories in YAML form: ``all: {hosts: ..., children: ..., vars: ...}``."""

from __future__ import annotations

from agent.wire.message import message
from fleet.init.importers.ansible_groups import Groups
from fleet.init.importers.ansible_ini import FORMAT, expanded
from fleet.init.importers.hosts import Hosts
from fleet.init.importers.model import Imported

_KEYS = {"hosts", "children", "vars"}
_MAX_DEPTH = 20


def matches(root: object) -> bool:
    """Return whether the YAML value is a mapping of groups."""
    if not isinstance(root, dict) or not root:
        return False
    groups = [value for value in root.values() if value is not None]
    return bool(groups) and all(isinstance(value, dict) and set(value) <= _KEYS and value for value in groups)


def read(root: dict[object, object]) -> Imported:
    """Return the hosts with the variables of their groups; a group's name becomes a tag."""
    hosts, groups = Hosts(), Groups()
    for name, content in root.items():
        _group(hosts, groups, str(name), content, 0)
    groups.add_hosts(hosts)
    return Imported(format=FORMAT, hosts=hosts.found, skipped=hosts.skipped)


def _group(hosts: Hosts, groups: Groups, name: str, content: object, depth: int) -> None:
    if content is None:
        return
    if not isinstance(content, dict) or depth > _MAX_DEPTH:
        hosts.skip(name, message("import.group", "this is not a group with hosts, children and vars"))
        return
    variables = content.get("vars")
    for key, value in variables.items() if isinstance(variables, dict) else ():
        groups.set(name, str(key), value)
    members = content.get("hosts")
    for pattern, own in members.items() if isinstance(members, dict) else ():
        for host in expanded(str(pattern)):
            if not groups.add_host(name, host, _texts(own), name):
                break
    children = content.get("children")
    for child, inner in children.items() if isinstance(children, dict) else ():
        groups.add_child(str(child), name)
        _group(hosts, groups, str(child), inner, depth + 1)


def _texts(own: object) -> dict[str, object]:
    return {str(key): value for key, value in own.items()} if isinstance(own, dict) else {}
