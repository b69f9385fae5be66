"""Inventories of other tools: ``dtui init --from FILE``.

Each format is a module with ``matches`` and ``read``. The format is recognised by the contents of the file.
"""

from __future__ import annotations

import codecs
from pathlib import Path

import yaml

from agent.wire.message import Message, message
from agent.wire.reasons import system_reason
from fleet import bounded_yaml
from fleet.errors import FleetError
from fleet.init.importers import accelerate, ansible_ini, ansible_yaml, hostfile, slurm, ssh, workers_json
from fleet.init.importers.model import Host, Imported, Skipped
from transports.regular_files import read_start

__all__ = ["Host", "Imported", "Skipped", "import_file", "recognised"]

_MAX_SIZE = 8 << 20


def import_file(path: Path) -> Imported:
    """Return what the file contains; raises FleetError when it is unreadable or of no known format."""
    try:
        data = read_start(path, _MAX_SIZE + 1)
    except OSError as error:
        raise FleetError(
            message(
                "import.unreadable",
                "{path} can't be read: {error}",
                path=str(path),
                error=system_reason(error),
            ),
            remedy=message("import.unreadable.remedy", "check the path"),
        ) from None
    if len(data) > _MAX_SIZE:
        raise FleetError(
            message("import.too-large", "{path} is larger than {size:bytes}", path=str(path), size=_MAX_SIZE)
        )
    text = _decoded(data)
    imported = _imported(text, path)
    if imported is None:
        raise FleetError(
            message("import.unknown-format", "{path} is not in a format that dtui imports", path=str(path)),
            remedy=message(
                "import.unknown-format.remedy",
                "name an Ansible inventory, an MPI or DeepSpeed hostfile, a Slurm node list, an Accelerate "
                "configuration, an ssh_config or a workers.json",
            ),
        )
    return imported


def recognised(path: Path) -> Message | None:
    """Return the name of the format of a file that was given as an inventory, None for an unknown one."""
    try:
        return import_file(path).format
    except FleetError:
        return None


def _imported(text: str, path: Path) -> Imported | None:
    if workers_json.matches(text):
        return workers_json.read(text)
    if ssh.matches(text):
        return ssh.read(path)
    if ansible_ini.matches(text):
        return ansible_ini.read(text)
    root = _yaml(text)
    if isinstance(root, dict):
        if accelerate.matches(root):
            return accelerate.read(root)
        if ansible_yaml.matches(root):
            return ansible_yaml.read(root)
    if hostfile.matches(text):
        return hostfile.read(text)
    return slurm.read(text) if slurm.matches(text) else None


def _yaml(text: str) -> object:
    try:
        return bounded_yaml.load(text, bounded_yaml.INVENTORY)
    except (yaml.YAMLError, ValueError):
        return None


def _decoded(data: bytes) -> str:
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return data.decode("utf-16", "replace")
    if b"\0" in data[:2]:
        # UTF-16 without a mark: the text starts with an ASCII character.
        return data.decode("utf-16-be" if data[0] == 0 else "utf-16-le", "replace")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("cp949", "replace")  # Korean Windows
