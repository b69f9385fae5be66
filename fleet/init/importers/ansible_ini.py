"""Ansible inventories in INI form: groups, host ranges, host variables, ``:vars`` and ``:children``."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator

from agent.wire.message import message
from fleet.init.importers.ansible_groups import Groups
from fleet.init.importers.hosts import Hosts
from fleet.init.importers.model import Imported

FORMAT = message("import.format.ansible", "Ansible inventory")
_SECTION = re.compile(r"\[([^\]:]+)(?::(vars|children|hosts))?\]")
_RANGE = re.compile(r"\[([0-9]{1,6}):([0-9]{1,6})(?::([0-9]{1,3}))?\]|\[([a-zA-Z]):([a-zA-Z])\]")
_MAX_RANGE = 65536


def matches(text: str) -> bool:
    """Return whether the text has a group, or a host with Ansible's variables."""
    lines = [line.strip() for line in text.splitlines() if line.strip() and line.strip()[0] not in "#;"]
    return any(_SECTION.fullmatch(line) for line in lines) or any(
        re.search(r"\sansible_\w+=", line) for line in lines
    )


def read(text: str) -> Imported:
    """Return the hosts with the variables of their groups; a group's name becomes a tag."""
    hosts, groups = Hosts(), Groups()
    group, kind = "ungrouped", None
    for number, raw in enumerate(text.splitlines(), 1):
        line, where = raw.strip(), f"line {number}"
        if not line or line[0] in "#;":
            continue
        section = _SECTION.fullmatch(line.split(" #")[0].strip())
        if section is not None:
            group, kind = section[1].strip(), section[2]
        elif kind == "vars":
            name, _, value = line.partition("=")
            groups.set(group, name.strip(), _unquoted(value.strip()))
        elif kind == "children":
            groups.add_child(group, line.split()[0])
        else:
            _host_line(hosts, groups, group, where, line)
    groups.add_hosts(hosts)
    return Imported(format=FORMAT, hosts=hosts.found, skipped=hosts.skipped)


def _host_line(hosts: Hosts, groups: Groups, group: str, where: str, line: str) -> None:
    try:
        pattern, *rest = shlex.split(line, comments=True)
    except ValueError as error:
        hosts.skip(
            where,
            message(
                "import.quotes",
                "{line!r} can't be split into words: {error}",
                line=line[:80],
                error=str(error),
            ),
        )
        return
    variables = dict(word.split("=", 1) for word in rest if "=" in word)
    for name in expanded(pattern):
        if not groups.add_host(group, name, variables, where):
            return


def expanded(pattern: str) -> Iterator[str]:
    """Yield the hosts of a pattern such as ``gpu[01:04].lan`` or ``node-[a:d]``, at most 65536 of a range."""
    found = _RANGE.search(pattern)
    if found is None:
        yield pattern
        return
    for part in _range(found):
        for rest in expanded(pattern[found.end() :]):
            yield f"{pattern[: found.start()]}{part}{rest}"


def _range(found: re.Match[str]) -> Iterator[str]:
    if found[4]:
        yield from map(chr, range(ord(found[4]), ord(found[5]) + 1))
        return
    width = len(found[1]) if found[1].startswith("0") else 0
    numbers = range(int(found[1]), int(found[2]) + 1, max(1, int(found[3] or 1)))
    yield from (str(number).zfill(width) for number in numbers[:_MAX_RANGE])


def _unquoted(value: str) -> str:
    return value[1:-1] if len(value) > 1 and value[0] == value[-1] and value[0] in "'\"" else value
