"""The Python interpreters of this machine that an agent may run under, 3.9 to 3.13.

They are searched on the PATH, in pyenv and in uv's folder. A missing 3.9, the oldest that is supported, fails
its tests in CI; pytest's summary names the other missing versions, and `make full` requires them too.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

VERSIONS = ("3.9", "3.10", "3.11", "3.12", "3.13")
OLDEST = VERSIONS[0]


@cache
def find(version: str) -> str | None:
    """Return the path of an interpreter of this minor version, None when the machine has none."""
    if version == "{}.{}".format(*sys.version_info[:2]):
        return sys.executable
    return next((path for path in _candidates(version) if _answers(path) == version), None)


def remedy(version: str) -> str:
    """Return how to install a version."""
    return f"install Python {version}, for example with `uv python install {version}`"


def missing() -> list[str]:
    """Return the supported versions that this machine lacks."""
    return [version for version in VERSIONS if find(version) is None]


def _candidates(version: str) -> Iterator[str]:
    # A shim of pyenv may stand on the PATH for a version that is not selected: it is asked like the others.
    if on_path := shutil.which(f"python{version}"):
        yield on_path
    for installed in reversed(_said("pyenv", "versions", "--bare").split()):
        if installed.startswith(f"{version}."):
            yield str(Path(_said("pyenv", "prefix", installed), "bin", "python"))
    if of_uv := _said("uv", "python", "find", "--no-python-downloads", version):
        yield of_uv


def _answers(path: str) -> str:
    # `-I`, as an agent is started: PYTHONPATH is this Python's.
    return _said(path, "-I", "-c", "import sys; print('%d.%d' % sys.version_info[:2])")


def _said(*argv: str) -> str:
    environment = {name: value for name, value in os.environ.items() if name != "PYENV_VERSION"}
    try:
        done = subprocess.run(argv, capture_output=True, text=True, check=True, timeout=240, env=environment)
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout.strip()


if __name__ == "__main__":
    for one in VERSIONS:
        print(f"Python {one}: {find(one) or 'missing'}")
    if find(OLDEST) is None:
        raise SystemExit(f"The tests of agents need Python {OLDEST}, which is missing: {remedy(OLDEST)}.")
