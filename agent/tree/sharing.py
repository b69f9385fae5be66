"""Nodes that share a project's folder: ``.dtui/deploying.json`` names the one that a deploy reached first."""

from __future__ import annotations

import os
from typing import Optional

from agent import durable
from agent.private import OWN


def first_node(root: str, deploy: str) -> Optional[str]:
    """Return the node that the deploy has reached in this folder before, None when this is the first.

    ``deploy`` is as in agent.tree.lock, whose Lock the caller holds. Raises OSError.
    """
    number, _, node = deploy.partition("/")
    token = os.path.join(root, OWN, "deploying.json")
    found = durable.read_json(token)
    if isinstance(found, dict) and found.get("deploy") == number and isinstance(found.get("node"), str):
        return None if found["node"] == node else str(found["node"])
    durable.write_json(token, {"deploy": number, "node": node})
    return None
