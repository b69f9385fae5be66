"""Where a node's environment is: nodes that share the project's folder may not be able to share it.

Nodes of the same kind use one environment. Another node gets a folder with its name, so that neither replaces
what the other one trains with.
"""

from __future__ import annotations

import os
import platform
import sys
from typing import Iterable, Optional

from agent.environments.stamp import described, others
from agent.interpreter import has_nvidia
from agent.private import OWN
from agent.wire.deploy import EnvironmentFacts

VENV = ".venv"
CONDA = OWN + "/conda"


def host() -> str:
    """Return what must be equal for two nodes to use one environment, besides a Python at the same path."""
    library = "-".join(part for part in platform.libc_ver() if part)
    parts = (sys.platform, platform.machine().lower(), library, "nvidia" if has_nvidia() else "")
    return "/".join(part for part in parts if part)


def folder_for(root: str, node: str, first: str) -> str:
    """Return the folder below ``root`` for the node's environment: ``first``, or one with its name.

    ``first`` is VENV or CONDA.
    """
    own = "%s/%s-%s" % (OWN, os.path.basename(first).lstrip("."), node)
    rest = others(root, node)
    known = described(root, node)
    candidates = [folder for one in rest if usable(one) for folder in _folders(root, [one], first)]
    taken = {folder for one in rest for folder in _folders(root, [one], first) if not usable(one)}
    for folder in (*_folders(root, [known] if known else [], first), *candidates, first):
        if folder not in taken:
            return folder
    return own


def own_folder_of(root: str, known: EnvironmentFacts) -> Optional[str]:
    """Return the path of uv's environment in a folder with a node's name, where uv would not look."""
    for folder in _folders(root, [known], VENV):
        if folder != VENV:
            return os.path.join(root, *folder.split("/"))
    return None


def usable(other: EnvironmentFacts) -> bool:
    """Return whether this node can train with the environment of another one.

    An older version did not keep the kind of the host.
    """
    return other.get("host", host()) == host() and os.path.exists(other["interpreter"])


def _folders(root: str, known: Iterable[EnvironmentFacts], first: str) -> Iterable[str]:
    """Yield the folders of environments that are ``first`` or were made in its place."""
    start = "%s/%s-" % (OWN, os.path.basename(first).lstrip("."))
    for one in known:
        relative = os.path.relpath(one["interpreter"], root).replace(os.sep, "/")
        if relative.startswith(first + "/"):
            yield first
        elif relative.startswith(start):
            yield "/".join(relative.split("/")[:2])
