"""Files of the project that setup commands have created on this machine when it is a node."""

from __future__ import annotations

from pathlib import Path

import msgspec
from msgspec import Struct

from agent.private import OWN
from fleet.private_files import read_private

#: Bytes of a state file.
_LARGEST = 16 << 20


class _State(Struct):
    """The part of ``.dtui/setup-<node>.json`` that counts here."""

    made: tuple[str, ...] = ()


def made_by_setup(root: Path) -> frozenset[str]:
    """Return the paths below ``root`` with ``/``; those of folders end with ``/``. Blocks; raises nothing."""
    found: set[str] = set()
    for path in sorted((root / OWN).glob("setup-*.json")):
        try:
            found.update(msgspec.json.decode(read_private(path, _LARGEST), type=_State).made)
        except (OSError, msgspec.DecodeError, UnicodeDecodeError):
            continue
    return frozenset(found)
