"""A training environment activated: its programs first on PATH, and the variable that names it."""

from __future__ import annotations

import os
from typing import Dict, Mapping

from agent.paths import WINDOWS


def activated(variables: Mapping[str, str], interpreter: str) -> Dict[str, str]:
    """Return the variables with the environment of ``interpreter`` active, as its script does it."""
    environment = dict(variables)
    folder = os.path.dirname(interpreter)
    if not folder:
        return environment
    prefix = folder if WINDOWS and os.path.basename(folder).lower() != "scripts" else os.path.dirname(folder)
    folders = [folder]
    if os.path.isfile(os.path.join(prefix, "pyvenv.cfg")):
        environment["VIRTUAL_ENV"] = prefix
    elif os.path.isdir(os.path.join(prefix, "conda-meta")):
        environment["CONDA_PREFIX"] = prefix
        if WINDOWS:
            # conda's libraries, which Windows looks for on PATH.
            below = (("Library", "mingw-w64", "bin"), ("Library", "usr", "bin"), ("Library", "bin"))
            folders += [os.path.join(prefix, *parts) for parts in below]
    if WINDOWS and prefix == folder:
        folders.append(os.path.join(folder, "Scripts"))
    environment["PATH"] = os.pathsep.join([*folders, environment.get("PATH", os.defpath)])
    return environment
