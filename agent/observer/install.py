"""Puts the observer into a run's folder, and on the path of the ranks."""

from __future__ import annotations

import importlib.util
import os
from typing import Dict

from agent import private

#: Within the run's folder.
FOLDER = "observer"
_MODULE = "agent.observer.in_rank"


def install(run_folder: str) -> str:
    """Write the observer's module; return its folder. Raises OSError."""
    folder = os.path.join(run_folder, FOLDER)
    private.make_folder(folder)
    with open(os.path.join(folder, "sitecustomize.py"), "w", encoding="utf-8", opener=private.opener) as file:
        file.write(_source())
    # A file in the place of the folder: ranks would write their bytecode there, for everybody to read.
    with open(os.path.join(folder, "__pycache__"), "w", opener=private.opener):
        pass
    return folder


def path_with(folder: str, environment: Dict[str, str]) -> str:
    """Return PYTHONPATH of an environment with the observer's folder before it."""
    before = environment.get("PYTHONPATH")
    return folder + os.pathsep + before if before else folder


def _source() -> str:
    spec = importlib.util.find_spec(_MODULE)
    # The agent's own importer has get_source as well.
    source = spec.loader.get_source(_MODULE) if spec is not None and spec.loader is not None else None  # type: ignore[attr-defined]
    if not isinstance(source, str):
        raise OSError("the agent's archive has no %s" % _MODULE)
    return source
