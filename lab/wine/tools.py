"""The programs from Debian that this needs, and our own two that are compiled with them."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
from pathlib import Path

from lab.wine.cache import Cache
from lab.wine.errors import WineError

WINE = Path("/usr/lib/wine/wine64")
WINESERVER = Path("/usr/lib/wine/wineserver64")
_COMPILER = "x86_64-w64-mingw32-gcc"
PACKAGES = "wine wine64 gcc-mingw-w64-x86-64"


def check_tools() -> None:
    """Raise WineError naming every program that is missing."""
    missing = [str(path) for path in (WINE, WINESERVER) if not path.exists()]
    if shutil.which(_COMPILER) is None:
        missing.append(_COMPILER)
    if missing:
        raise WineError(f"missing: {', '.join(missing)}; apt-get install --no-install-recommends {PACKAGES}")


def winexec(cache: Cache) -> Path:
    """Return winexec.exe."""
    return _compiled(cache, "winexec.c", "exe", ["-municode"])


def bcryptprimitives(cache: Cache) -> Path:
    """Return bcryptprimitives.dll."""
    return _compiled(cache, "bcryptprimitives.c", "dll", ["-shared"], ["-ladvapi32"])


def _compiled(
    cache: Cache, source: str, suffix: str, flags: list[str], libraries: list[str] | None = None
) -> Path:
    path = Path(__file__).with_name(source)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()[:12]

    def make(target: Path) -> None:
        command = [_COMPILER, "-O2", "-s", "-Wall", *flags, "-o", str(target), str(path), *(libraries or [])]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise WineError(f"{source} does not compile: {done.stderr.strip()}")

    return cache.part(f"{path.stem}-{digest}.{suffix}", make)
