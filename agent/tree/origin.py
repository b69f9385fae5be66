"""The project in a folder: ``.dtui/project.json`` names the master and folder that it was deployed from."""

from __future__ import annotations

import os
from typing import Collection, Optional

from agent import durable
from agent.private import OWN

_LONGEST = 1000


def other_origin(root: str, origin: str, recorded: Collection[str], listed: Collection[str]) -> Optional[str]:
    """Return the origin of another project that was deployed here, None when there is none.

    A project that has moved is the same: most files ``recorded`` by earlier deploys are ``listed`` again.
    """
    found = durable.read_json(_place(root))
    known = found.get("origin") if isinstance(found, dict) else None
    if not isinstance(known, str) or known == origin:
        return None
    again = sum(path in listed for path in recorded)
    return None if 2 * again > len(recorded) else known[:_LONGEST]


def record_origin(root: str, origin: str) -> None:
    """Note where the project was deployed from; raises OSError."""
    durable.write_json(_place(root), {"origin": origin[:_LONGEST]})


def _place(root: str) -> str:
    return os.path.join(root, OWN, "project.json")
