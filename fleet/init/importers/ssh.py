"""OpenSSH client configurations."""

from __future__ import annotations

import re
from pathlib import Path

from agent.wire.message import message
from fleet.init.candidates import configured_hosts
from fleet.init.importers.hosts import Hosts
from fleet.init.importers.model import Host, Imported

FORMAT = message("import.format.ssh", "ssh_config")
_HOST = re.compile(r"^[ \t]*(?:Host|Match)(?:[ \t]+|[ \t]*=[ \t]*)\S", re.IGNORECASE | re.MULTILINE)


def matches(text: str) -> bool:
    """Return whether the text has a ``Host`` or ``Match`` block."""
    return _HOST.search(text) is not None


def read(path: Path) -> Imported:
    """Return the hosts that have their own ``Host`` line; OpenSSH reads the rest of the file itself."""
    hosts = Hosts()
    for candidate in configured_hosts(path):
        where = candidate.name
        if candidate.user == "git":
            hosts.skip(where, message("import.git", "{host} is a git server", host=candidate.name))
            continue
        hosts.add(
            where,
            Host(
                name=candidate.name,
                address=candidate.address,
                transport="ssh",
                port=candidate.port,
                user=candidate.user,
                identity=candidate.identity,
            ),
        )
    return Imported(format=FORMAT, hosts=hosts.found, skipped=hosts.skipped)
