"""Commands of Windows PowerShell 5.1: all that a node runs are built and started by this module."""

from __future__ import annotations

import base64
import ntpath
import os
from typing import Dict, Mapping, Sequence, Tuple

#: The first word of a command, as a person types it; `startable` replaces it.
PROGRAM = "powershell"
_OPTIONS = ("-NoProfile", "-NonInteractive")
#: A profile or policy must not turn errors into warnings. 5.1 writes its progress to stderr as XML.
_SETTINGS = "$ErrorActionPreference = 'Stop'; $ProgressPreference = 'SilentlyContinue'; "


def command(script: str) -> Tuple[str, ...]:
    """Return the words that run ``script``, readable for a person. An error ends it with status 1."""
    return (PROGRAM, *_OPTIONS, "-Command", _SETTINGS + script)


def encoded(script: str) -> Tuple[str, ...]:
    """Return the words that run ``script``, which may have any characters and lines."""
    text = base64.b64encode((_SETTINGS + "\n" + script).encode("utf-16-le")).decode("ascii")
    return (PROGRAM, *_OPTIONS, "-EncodedCommand", text)


def startable(
    argv: Sequence[str], environment: Mapping[str, str], windows: bool = os.name == "nt"
) -> Tuple[Tuple[str, ...], Dict[str, str]]:
    """Return the words and the environment with which a command of this module is started.

    By its full path, since Windows looks into the working folder before PATH; a 32-bit Python reaches the
    64-bit one as Sysnative. Without PSModulePath: that of PowerShell 7 names modules that 5.1 cannot load,
    and without one 5.1 makes its own. Other commands are returned as they are.
    """
    kept = dict(environment)
    if not argv or argv[0] != PROGRAM:
        return tuple(argv), kept
    for name in [name for name in kept if name.upper() == "PSMODULEPATH"]:
        del kept[name]
    if not windows:
        return tuple(argv), kept
    root = environment.get("SYSTEMROOT") or environment.get("SystemRoot") or r"C:\Windows"
    system = "Sysnative" if environment.get("PROCESSOR_ARCHITEW6432") else "System32"
    path = ntpath.join(root, system, "WindowsPowerShell", "v1.0", "powershell.exe")
    return (path, *argv[1:]), kept
