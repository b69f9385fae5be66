"""Host files of MPI, DeepSpeed and Horovod: ``gpu1 slots=4``, ``gpu1:4``, or one name per line."""

from __future__ import annotations

import re

from agent.wire.message import message
from fleet.init.candidates import node_name
from fleet.init.importers.hosts import Hosts, without_comment
from fleet.init.importers.model import Host, Imported

FORMAT = message("import.format.hostfile", "hostfile")
_LINE = re.compile(
    r"(?:(?P<user>[^@\s]+)@)?(?P<host>\[[0-9a-fA-F:.%]+\]|[^\s:=\[\]@]+)(?::(?P<count>[0-9]{1,4}))?"
    r"(?P<rest>(?:\s+[\w-]+\s*=\s*\S+)*)"
)
_SLOTS = re.compile(r"\bslots\s*=\s*([0-9]{1,4})\b")
_MAX_GPUS = 64


def matches(text: str) -> bool:
    """Return whether the text is a host file with more than names: slots or process counts."""
    lines = [line for line in map(without_comment, text.splitlines()) if line]
    found = [_LINE.fullmatch(line) for line in lines]
    return (
        bool(lines)
        and all(found)
        and any(one and (one["count"] or _SLOTS.search(one["rest"])) for one in found)
    )


def read(text: str) -> Imported:
    """Return the hosts; ``slots`` is the number of GPUs."""
    hosts = Hosts()
    for number, line in enumerate(map(without_comment, text.splitlines()), 1):
        if not line:
            continue
        where = f"line {number}"
        found = _LINE.fullmatch(line)
        if found is None:
            hosts.skip(
                where, message("import.hostfile-line", "{line!r} is not `HOST slots=N`", line=line[:80])
            )
            continue
        slots = _SLOTS.search(found["rest"])
        count = int(slots[1]) if slots else int(found["count"]) if found["count"] else None
        if count is not None and count > _MAX_GPUS:
            hosts.skip(
                where,
                message(
                    "import.too-many-slots",
                    "{count} slots are more than {most} GPUs",
                    count=count,
                    most=_MAX_GPUS,
                ),
            )
            count = None
        address = found["host"].strip("[]")
        hosts.add(where, Host(name=node_name(address), address=address, user=found["user"], gpus=count))
    return Imported(format=FORMAT, hosts=hosts.found, skipped=hosts.skipped)
