"""The machine's facts, the same keys on every system; what can't be known is None."""

from __future__ import annotations

import getpass
import locale
import os
import platform
import shutil
import struct
import sys
from typing import List, NamedTuple, Optional, Tuple

from agent.facts.routes import Adapter
from agent.wire.facts import (
    CpuFacts,
    DiskFacts,
    LoginShellFacts,
    OsFacts,
    PagingFacts,
    PowerFacts,
    PythonFacts,
    RamFacts,
)

WINDOWS = os.name == "nt"


def system() -> OsFacts:
    """Return the ``os`` facts."""
    codepage: Optional[int] = None
    oem_codepage: Optional[int] = None
    if WINDOWS:
        from agent.facts import windows

        name, version, build = windows.system()
        codepage, oem_codepage = windows.codepages()
        culture = windows.locale_name()
    else:
        from agent.facts import linux

        name, version = linux.system()
        build = platform.release()
        culture = os.environ.get("LC_ALL") or os.environ.get("LC_CTYPE") or os.environ.get("LANG")
    return {
        "name": name,
        "version": version,
        "build": build,
        "codepage": codepage,
        "oem_codepage": oem_codepage,
        "locale": culture,
        "system": "Windows" if WINDOWS else platform.system(),
        "release": version if WINDOWS else platform.release(),
        "machine": platform.machine(),
        "encoding": locale.getpreferredencoding(False),
    }


def cpu() -> CpuFacts:
    """Return the ``cpu`` facts; ``usable`` is how many threads this process may use."""
    if WINDOWS:
        from agent.facts import windows

        model, cores, threads = windows.cpu()
    else:
        from agent.facts import linux

        model, cores, threads = linux.cpu()
    threads = threads or os.cpu_count()
    affinity = getattr(os, "sched_getaffinity", None)
    usable = len(affinity(0)) if affinity else threads
    return {"model": model, "cores": cores, "threads": threads, "usable": usable}


def memory() -> Tuple[RamFacts, PagingFacts]:
    """Return the ``ram`` and the ``paging`` facts."""
    if WINDOWS:
        from agent.facts import windows

        return windows.memory()
    from agent.facts import linux

    return linux.memory()


def disk(path: str) -> DiskFacts:
    """Return total and free bytes where ``path`` is or would be: at its nearest existing parent."""
    place = os.path.abspath(os.path.expanduser(path or "~"))
    while not os.path.exists(place) and os.path.dirname(place) != place:
        place = os.path.dirname(place)
    try:
        usage = shutil.disk_usage(place)
    except OSError:
        return {"path": place, "total": None, "free": None}
    return {"path": place, "total": usage.total, "free": usage.free}


def python() -> PythonFacts:
    """Return the facts of the interpreter that runs the agent."""
    return {
        "version": platform.python_version(),
        "executable": sys.executable,
        "bits": struct.calcsize("P") * 8,
        "implementation": sys.implementation.name,
    }


def adapters() -> List[Adapter]:
    """Return the adapters with ``interfaces``; see :func:`agent.facts.routes.routed`."""
    if WINDOWS:
        from agent.facts import windows_adapters

        return windows_adapters.adapters()
    from agent.facts import linux_adapters

    return linux_adapters.adapters()


def power() -> PowerFacts:
    """Return the ``power`` facts."""
    if WINDOWS:
        from agent.facts import windows_power

        return windows_power.power()
    from agent.facts import linux

    return linux.power()


class Settings(NamedTuple):
    """What a Windows administrator may have to change; None where a system has no such thing."""

    long_paths: Optional[bool]
    execution_policy: Optional[str]
    login_shell: Optional[LoginShellFacts]
    elevated: bool


def settings() -> Settings:
    """Read the settings of this system and of this process."""
    if WINDOWS:
        from agent.facts import windows

        return Settings(
            windows.long_paths(), windows.execution_policy(), windows.login_shell(), windows.elevated()
        )
    return Settings(None, None, None, os.geteuid() == 0)


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
