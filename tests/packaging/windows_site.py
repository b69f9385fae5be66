"""What pip would install for dtui on Windows, without Windows: wheels for it, chosen by its markers."""

from __future__ import annotations

import importlib.metadata
import sys
from collections.abc import Iterator
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.packaging.building import Built, run

_PYTHON = "3.11"
_MARKERS = {
    "sys_platform": "win32", "platform_system": "Windows", "os_name": "nt", "platform_machine": "AMD64",
    "python_version": _PYTHON, "python_full_version": "3.11.9", "implementation_name": "cpython",
    "platform_python_implementation": "CPython",
}  # fmt: skip
#: Nothing here says their version, for Linux does without them.
_ONLY_WINDOWS = {"pywin32-ctypes": "0.2.3", "sspilib": "0.6.0", "importlib-metadata": "8.7.0",
                 "backports-tarfile": "1.2.0", "zipp": "3.23.0"}  # fmt: skip


def on_z(path: Path) -> str:
    """Return where Windows sees a file of this machine."""
    return "Z:" + str(path).replace("/", "\\")


def install(built: Built, folder: Path) -> Path:
    """Install the wheel and all it requires into ``folder``/site, in the versions that run here."""
    pip = (sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", folder / "site")
    windows = ("--platform", "win_amd64", "--python-version", _PYTHON, "--only-binary=:all:")
    run(*pip, "--no-index", built.wheel, cwd=folder)
    (metadata,) = (folder / "site").glob("dtui-*.dist-info")
    required = importlib.metadata.PathDistribution(metadata).requires or []
    run(*pip, *windows, *sorted(set(_pinned(required, ""))), cwd=folder)
    return folder / "site"


def _pinned(required: list[str], extra: str, seen: set[tuple[str, str]] | None = None) -> Iterator[str]:
    seen = set() if seen is None else seen
    for line in required:
        requirement = Requirement(line)
        if requirement.marker and not requirement.marker.evaluate({**_MARKERS, "extra": extra}):
            continue
        name = canonicalize_name(requirement.name)
        try:
            here = importlib.metadata.distribution(name)
        except importlib.metadata.PackageNotFoundError:
            yield f"{name}=={_ONLY_WINDOWS[name]}"
            continue
        yield f"{name}=={here.version}"
        for wanted in ("", *requirement.extras):
            if (name, wanted) not in seen:
                seen.add((name, wanted))
                yield from _pinned(here.requires or [], wanted, seen)
