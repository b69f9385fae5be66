"""Groups of an Ansible inventory: members, variables, and which group's variables win."""

from __future__ import annotations

from collections.abc import Mapping

from agent.wire.message import message
from fleet.init.importers.ansible_variables import add_host
from fleet.init.importers.hosts import Hosts
from fleet.nodeset import MAX_NAMES

#: Groups that Ansible has in every inventory: useless as tags.
_IMPLICIT = ("all", "ungrouped")
#: How often hosts may be named; each may be in several groups.
_MAX_MEMBERS = 4 * MAX_NAMES
#: Groups of one host that count, with those that contain them.
_MAX_LINEAGE = 100


class Groups:
    """Collects groups and hosts in any order; :meth:`add_hosts` works out each host's variables."""

    def __init__(self) -> None:
        self._variables: dict[str, dict[str, object]] = {}
        self._parents: dict[str, list[str]] = {}
        #: Host -> its variables, its groups, and where it was first named.
        self._hosts: dict[str, tuple[dict[str, object], list[str], str]] = {}
        self._members = 0
        self._is_full = False

    def set(self, group: str, name: str, value: object) -> None:
        """Set a variable of a group."""
        self._variables.setdefault(group, {})[name] = value

    def add_child(self, group: str, child: str) -> None:
        """Make ``child`` a group within ``group``."""
        self._parents.setdefault(child, []).append(group)

    def add_host(self, group: str, name: str, variables: Mapping[str, object], where: str) -> bool:
        """Add a host to a group, with variables of its own; return False when there is no room for more.

        The caller then leaves the rest of the host's range out: two ranges in a name stand for billions.
        """
        self._members += 1
        if self._members > _MAX_MEMBERS or (len(self._hosts) >= MAX_NAMES and name not in self._hosts):
            self._is_full = True
            return False
        own, groups, _ = self._hosts.setdefault(name, ({}, [], where))
        own.update(variables)
        if group not in groups:
            groups.append(group)
        return True

    def add_hosts(self, hosts: Hosts) -> None:
        """Add every host: its own variables win over those of its groups, a child's over its parents'."""
        for name, (own, groups, where) in self._hosts.items():
            lineage = self._with_parents(groups)
            variables: dict[str, object] = {}
            for group in ("all", *reversed(lineage)):
                variables.update(self._variables.get(group, {}))
            variables.update(own)
            tags = tuple(group for group in lineage if group not in _IMPLICIT)
            add_host(hosts, f"{where}, {name}", name, variables, tags)
        if self._is_full:
            hosts.skip(
                "",
                message(
                    "import.hosts-dropped", "hosts beyond the limit of {most} are left out", most=MAX_NAMES
                ),
            )

    def _with_parents(self, groups: list[str]) -> list[str]:
        """Return the groups and all that contain them, nearest first and at most _MAX_LINEAGE."""
        found = list(dict.fromkeys(groups))[:_MAX_LINEAGE]
        for group in found:  # grows while it is read
            for parent in self._parents.get(group, ())[:_MAX_LINEAGE]:
                if parent not in found and len(found) < _MAX_LINEAGE:
                    found.append(parent)
        return found
