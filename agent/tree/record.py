"""The record of all deploys to a node: ``.dtui/deployed.json``.

It lists the files that dtui has deployed (only those may ever be deleted), whether they have been changed
since, and their digests, so that an unchanged file need not be read again.
"""

from __future__ import annotations

import os
from typing import Any, Dict, NamedTuple, Optional

from agent import durable
from agent.private import OWN
from agent.tree.places import Found

_VERSION = 1


class Recorded(NamedTuple):
    """One file: as it was on the console (``source_mtime_ns``) and as deployed on this node."""

    size: int
    source_mtime_ns: int
    mtime_ns: int
    digest: str
    #: False for a file that was here already with the right contents: never ours to delete.
    ours: bool

    def unchanged(self, found: Optional[Found]) -> bool:
        """Return whether the node's file is still as a deploy left it."""
        return found is not None and (found.kind, found.size, found.mtime_ns) == (
            "file",
            self.size,
            self.mtime_ns,
        )


Record = Dict[str, Recorded]


def path_in(root: str) -> str:
    """Return where a project's record is."""
    return os.path.join(root, OWN, "deployed.json")


def load(root: str) -> Record:
    """Return the record of the last complete deploy, empty when there is none that can be read."""
    value: Any = durable.read_json(path_in(root), durable.LARGEST_LIST)
    try:
        if value["version"] != _VERSION:
            return {}
        return {str(path): Recorded(*fields) for path, fields in value["files"].items()}
    except (TypeError, KeyError, AttributeError):
        return {}


def to_json(record: Record) -> Any:
    """Return the record as bytes for the file."""
    return {"version": _VERSION, "files": {path: list(entry) for path, entry in record.items()}}
