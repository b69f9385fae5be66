"""What a run was started from: its configuration and its code, as the master has them at the launch."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import field
from pathlib import Path

import yaml

from fleet.deploy.scan import scan
from fleet.frozen import frozen
from fleet.inventory import Inventory
from fleet.inventory.values import is_secret_name

#: Characters of a digest: enough to tell the runs of a project apart, few enough for a column.
SHOWN = 12
_HIDDEN = "(not kept)"


@frozen
class Origin:
    """Digests of the configuration handed to the program and of the code, and what the configuration said.

    A launch without a deploy starts what the nodes have; then this tells what they would get.
    """

    #: The configuration's path in the project, empty when the program is handed none.
    config: str = ""
    #: First characters of the BLAKE2b of the file's bytes; empty when there is no such file.
    config_digest: str = ""
    #: The same over the paths and contents of all ``.py`` files that a deploy sends.
    code_digest: str = ""
    #: Each setting by its dotted key, as JSON; one whose name is that of a secret is not kept.
    settings: Mapping[str, str] = field(default_factory=dict)

    def to_json(self) -> str:
        """Return it as one line of JSON."""
        return json.dumps(dataclasses.asdict(self), ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str) -> Origin:
        """Return what ``to_json`` wrote; an empty one for anything else."""
        try:
            kept = json.loads(text)
            settings = {str(key): str(value) for key, value in dict(kept["settings"]).items()}
            digests = {name: str(kept[name]) for name in ("config", "config_digest", "code_digest")}
            return cls(settings=settings, **digests)
        except (ValueError, TypeError, KeyError):
            return cls()


def read_origin(inventory: Inventory) -> Origin:
    """Read the project's configuration and code. Blocks; what can't be read is left out."""
    handed = inventory.run.config_handed or ""
    try:
        data = (inventory.project / handed).read_bytes() if handed else b""
    except OSError:
        data = b""
    return Origin(
        config=handed,
        config_digest=_digest(data) if data else "",
        code_digest=_code(inventory.project),
        settings=_settings(data),
    )


def _settings(data: bytes) -> dict[str, str]:
    try:
        return dict(_flat("", yaml.safe_load(data.decode("utf-8"))))
    except (ValueError, yaml.YAMLError, RecursionError):
        return {}  # the program is the one to say what is wrong with its file


def _flat(prefix: str, value: object) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        for key, inner in value.items():
            name = f"{prefix}.{key}" if prefix else f"{key}"
            if is_secret_name(str(key)):
                yield name, _HIDDEN
            else:
                yield from _flat(name, inner)
    elif prefix:
        yield prefix, json.dumps(value, ensure_ascii=False, default=str)


def _code(project: Path) -> str:
    whole = hashlib.blake2b()
    found = False
    for file in scan(project).files:
        if not file.path.endswith(".py"):
            continue
        try:
            inner = hashlib.blake2b((project / file.path).read_bytes()).digest()
        except OSError:
            continue  # the deploy says what is wrong with it
        whole.update(file.path.encode() + b"\0" + inner)
        found = True
    return whole.hexdigest()[:SHOWN] if found else ""


def _digest(data: bytes) -> str:
    return hashlib.blake2b(data).hexdigest()[:SHOWN]
