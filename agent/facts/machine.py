"""The machine's facts, the same keys on every system; what can't be known is None."""

from __future__ import annotations

import getpass
import locale
import os
import platform
import shutil
import struct
import sys
from typing import Any, Dict, List, Optional

Facts = Dict[str, Any]

WINDOWS = os.name == "nt"


def system() -> Facts:
    """Return the ``os`` facts."""
    if WINDOWS:
        from agent.facts import windows

        facts = windows.system()
        codepage, oem_codepage = windows.codepages()
        facts.update(codepage=codepage, oem_codepage=oem_codepage, locale=windows.locale_name())
    else:
        from agent.facts import linux

        facts = linux.system()
        facts.update(build=platform.release(), codepage=None, oem_codepage=None)
        facts["locale"] = os.environ.get("LC_ALL") or os.environ.get("LC_CTYPE") or os.environ.get("LANG")
    facts.update(
        system="Windows" if WINDOWS else platform.system(),
        release=facts["version"] if WINDOWS else platform.release(),
        machine=platform.machine(),
        encoding=locale.getpreferredencoding(False),
    )
    return facts


def cpu() -> Facts:
    """Return the ``cpu`` facts; ``usable`` is how many threads this process may use."""
    if WINDOWS:
        from agent.facts import windows

        facts = windows.cpu()
    else:
        from agent.facts import linux

        facts = linux.cpu()
    facts["threads"] = facts["threads"] or os.cpu_count()
    affinity = getattr(os, "sched_getaffinity", None)
    facts["usable"] = len(affinity(0)) if affinity else facts["threads"]
    return facts


def memory() -> List[Facts]:
    """Return the ``ram`` and the ``paging`` facts, in bytes."""
    if WINDOWS:
        from agent.facts import windows

        return list(windows.memory())
    from agent.facts import linux

    return list(linux.memory())


def disk(path: str) -> Facts:
    """Return total and free bytes where ``path`` is or would be: at its nearest existing parent."""
    place = os.path.abspath(os.path.expanduser(path or "~"))
    while not os.path.exists(place) and os.path.dirname(place) != place:
        place = os.path.dirname(place)
    try:
        usage = shutil.disk_usage(place)
    except OSError:
        return {"path": place, "total": None, "free": None}
    return {"path": place, "total": usage.total, "free": usage.free}


def python() -> Facts:
    """Return the facts of the interpreter that runs the agent."""
    return {
        "version": platform.python_version(),
        "executable": sys.executable,
        "bits": struct.calcsize("P") * 8,
        "implementation": sys.implementation.name,
    }


def adapters() -> List[Facts]:
    """Return the adapters with ``interfaces``; see :func:`agent.facts.routes.mark_routes`."""
    if WINDOWS:
        from agent.facts import windows_adapters

        return windows_adapters.adapters()
    from agent.facts import linux_adapters

    return linux_adapters.adapters()


def power() -> Facts:
    """Return the ``power`` facts."""
    if WINDOWS:
        from agent.facts import windows_power

        return windows_power.power()
    from agent.facts import linux

    return linux.power()


def settings() -> Facts:
    """Return what a Windows administrator may have to change; None where a system has no such thing."""
    if WINDOWS:
        from agent.facts import windows

        return {
            "long_paths": windows.long_paths(),
            "execution_policy": windows.execution_policy(),
            "elevated": windows.elevated(),
        }
    return {"long_paths": None, "execution_policy": None, "elevated": os.geteuid() == 0}


def display_vendors() -> List[str]:
    """Return the PCI vendors of the display controllers, found without any driver."""
    if WINDOWS:
        from agent.facts import windows

        return windows.display_vendors()
    from agent.facts import linux

    return linux.display_vendors()


def user() -> Optional[str]:
    """Return who runs the agent."""
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):
        return None
