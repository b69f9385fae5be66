"""``workers.json`` as PowerShell writes it: a list, one object, or a list within ``value``."""

from __future__ import annotations

import json
from collections.abc import Iterator

from agent.wire.message import message
from fleet.init.candidates import node_name
from fleet.init.importers.hosts import Hosts
from fleet.init.importers.model import Host, Imported

FORMAT = message("import.format.workers-json", "workers.json")
_ADDRESS, _NAME, _GPUS = "ipaddress", "computername", "gpucount"
_MAX_GPUS = 64


def matches(text: str) -> bool:
    """Return whether the text is JSON with workers of the old guide."""
    return any(_lowered(entry).keys() & {_ADDRESS, _NAME} for entry in _entries(text))


def read(text: str) -> Imported:
    """Return the workers; an entry that is not valid costs that entry only."""
    hosts = Hosts()
    for number, entry in enumerate(_entries(text), 1):
        where, values = f"entry {number}", _lowered(entry)
        address, name, gpus = values.get(_ADDRESS), values.get(_NAME), values.get(_GPUS)
        if not isinstance(address, str) or not address.strip():
            hosts.skip(where, message("import.no-address", "the entry has no IPAddress"))
            continue
        if gpus is not None and (type(gpus) is not int or not 0 <= gpus <= _MAX_GPUS):
            hosts.skip(
                where,
                message(
                    "import.gpu-count",
                    "GPUCount is {found!r}, not a number of GPUs up to {most}",
                    found=str(gpus)[:40],
                    most=_MAX_GPUS,
                ),
            )
            gpus = None
        label = name if isinstance(name, str) and name.strip() else address.strip()
        hosts.add(where, Host(name=node_name(label.strip()), address=address.strip(), gpus=gpus))
    return Imported(format=FORMAT, hosts=hosts.found, skipped=hosts.skipped)


def _entries(text: str) -> Iterator[dict[str, object]]:
    try:
        root = json.loads(text, parse_int=_whole)
    except (ValueError, RecursionError):
        return
    # PowerShell wraps a list like this when it was piped through a function.
    if isinstance(root, dict) and isinstance(root.get("value"), list):
        root = root["value"]
    for entry in root if isinstance(root, list) else [root]:
        if isinstance(entry, dict):
            yield entry


def _whole(digits: str) -> int | str:
    return int(digits) if len(digits) < 20 else digits


def _lowered(entry: dict[str, object]) -> dict[str, object]:
    # PowerShell, which writes and reads these files, ignores case.
    return {key.lower(): value for key, value in entry.items()}
