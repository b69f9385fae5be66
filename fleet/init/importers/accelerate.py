"""Accelerate's ``default_config.yaml``: where the ranks meet, and the run's own Accelerate settings."""

from __future__ import annotations

from agent.wire.message import Message, message
from fleet.init.importers.model import Imported, Skipped
from fleet.inventory import node_names

FORMAT = message("import.format.accelerate", "Accelerate configuration")
_LOCAL = "LOCAL_MACHINE"


def matches(root: object) -> bool:
    """Return whether the YAML value is an Accelerate configuration."""
    return isinstance(root, dict) and "compute_environment" in root


def read(root: dict[object, object]) -> Imported:
    """Return address, port and number of machines; the file names no other machine."""
    skipped: list[Skipped] = []

    def skip(key: str, reason: Message) -> None:
        skipped.append(Skipped(key, reason))

    environment = root.get("compute_environment")
    if environment != _LOCAL:
        found = str(environment)[:80]
        skip(
            "compute_environment",
            message(
                "import.accelerate-environment", "{found!r} is not supported, only LOCAL_MACHINE", found=found
            ),
        )
    address = root.get("main_process_ip")
    if address is not None and (not isinstance(address, str) or node_names.address(address) is not None):
        found = str(address)[:80]
        skip(
            "main_process_ip",
            message("import.accelerate-address", "{found!r} is not an address", found=found),
        )
        address = None
    port, machines = root.get("main_process_port"), root.get("num_machines")
    if port is not None and (type(port) is not int or not 1024 <= port <= 65535):
        found = str(port)[:80]
        skip(
            "main_process_port",
            message("import.accelerate-port", "{found!r} is not a port from 1024 to 65535", found=found),
        )
        port = None
    return Imported(
        format=FORMAT,
        skipped=tuple(skipped),
        master_address=address or "",
        port=port if isinstance(port, int) else None,
        accelerate=environment == _LOCAL,
        machines=machines if type(machines) is int and 1 < machines <= 4096 else None,
    )
