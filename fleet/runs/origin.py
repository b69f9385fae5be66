"""What a run was started from: its configuration and its code, as the master has them at the launch."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path

import yaml
from msgspec import Struct, field
from msgspec.structs import asdict

from fleet import bounded_yaml
from fleet.deploy.project import scan_project
from fleet.inventory import Inventory
from fleet.secrets import MASK, masked
from transports.regular_files import open_file

#: Characters of a digest: enough to distinguish the runs of a project, few enough for a column.
SHOWN = 12
#: Characters of all settings together. Aliases can expand a small file to many.
_MAX_SETTINGS = 4 << 20


class Origin(Struct, frozen=True):
    """Digests of the program's configuration and of the code, and the configuration's settings.

    A launch without a deploy starts the nodes' files; then these are the files that a deploy would send.
    """

    #: The configuration's path in the project, empty when the program gets none.
    config: str = ""
    #: First characters of the BLAKE2b of the file's bytes; empty when there is no such file.
    config_digest: str = ""
    #: The same over the paths and contents of all ``.py`` files that a deploy sends.
    code_digest: str = ""
    #: Each setting by its dotted key, as JSON, with every secret in it masked (:mod:`fleet.secrets`).
    settings: Mapping[str, str] = field(default_factory=dict)

    def to_json(self) -> str:
        """Return it as one line of JSON."""
        return json.dumps(asdict(self), ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str) -> Origin:
        """Return what ``to_json`` wrote; an empty one for anything else."""
        try:
            kept = json.loads(text)
            settings = {str(key): str(value) for key, value in dict(kept["settings"]).items()}
            digests = {name: str(kept[name]) for name in ("config", "config_digest", "code_digest")}
            return cls(settings=settings, **digests)
        except (ValueError, TypeError, KeyError, RecursionError):
            return cls()


def read_origin(inventory: Inventory) -> Origin:
    """Read the project's configuration and code. Blocks; what can't be read is left out."""
    path = inventory.run.program_config or ""
    try:
        data = bounded_yaml.read_start(inventory.project / path) if path else b""
        digest = _digest(inventory.project / path) if data else ""
    except OSError:
        data, digest = b"", ""
    return Origin(
        config=path,
        config_digest=digest,
        code_digest=_code(inventory),
        settings=settings_of(data),
    )


def settings_of(data: bytes) -> dict[str, str]:
    """Return each setting of a YAML configuration by its dotted key; none when it cannot be read."""
    try:
        settings: dict[str, str] = {}
        size = 0
        for name, value in _flat("", masked(bounded_yaml.load(data))):
            size += len(name) + len(value)
            if size > _MAX_SETTINGS:
                return {}
            settings[name] = value
        return settings
    except (ValueError, TypeError, yaml.YAMLError):
        return {}  # the program reports the faults of its own file


def _flat(prefix: str, value: object) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _flat(f"{prefix}.{key}" if prefix else f"{key}", inner)
    elif prefix:
        yield prefix, value if value == MASK else json.dumps(value, ensure_ascii=False, default=str)


def _code(inventory: Inventory) -> str:
    whole = hashlib.blake2b()
    found = False
    for file in scan_project(inventory).files:
        if not file.path.endswith(".py"):
            continue
        try:
            with open_file(inventory.project / file.path) as opened:
                inner = hashlib.file_digest(opened, "blake2b").digest()
        except OSError:
            continue  # the deploy reports the error
        whole.update(file.path.encode() + b"\0" + inner)
        found = True
    return whole.hexdigest()[:SHOWN] if found else ""


def _digest(path: Path) -> str:
    with open_file(path) as file:
        return hashlib.file_digest(file, "blake2b").hexdigest()[:SHOWN]
