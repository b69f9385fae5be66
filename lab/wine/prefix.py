"""Wine's C: drive: a template that is made once, and cheap copies of it."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from lab.wine.cache import Cache
from lab.wine.errors import WineError
from lab.wine.locale_files import locale_folder
from lab.wine.tools import WINE, WINESERVER, bcryptprimitives

_MAKING = 120
#: The runtime DLLs that Windows Python and torch bring along go before Wine's own: a C++ exception
#: thrown through Wine's ends the process.
_NATIVE = (
    "ucrtbase,vcruntime140,vcruntime140_1,msvcp140,msvcp140_1,msvcp140_2,msvcp140_atomic_wait,"
    "concrt140,vcomp140=n,b"
)


def wine_environment(prefix: Path, locale: str = "C.UTF-8") -> dict[str, str]:
    """Return the variables of a Wine process; ``locale`` decides the code page (ko_KR.UTF-8: 949)."""
    kept = {name: value for name, value in os.environ.items() if name in ("PATH", "HOME", "USER", "LANG")}
    return kept | {
        "WINEPREFIX": str(prefix),
        "WINEARCH": "win64",
        "WINEDEBUG": "-all",
        "WINEDLLOVERRIDES": f"mscoree,mshtml=;{_NATIVE};winemenubuilder.exe,winedbg.exe=d",
        "LC_ALL": locale,
    }


def template(cache: Cache, locale: str) -> Path:
    """Return a prefix that reports Windows 10 and has no running processes."""
    # Other parts first: parts are made one at a time.
    library, locales = bcryptprimitives(cache), locale_folder(cache)

    def make(target: Path) -> None:
        environment = wine_environment(target, locale) | {"LOCPATH": str(locales)}
        try:
            for command in ((str(WINE), "winecfg", "-v", "win10"), (str(WINESERVER), "-w")):
                # No streams: Wine's services keep those of the first process.
                subprocess.run(
                    command,
                    env=environment,
                    timeout=_MAKING,
                    check=True,
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                )
        except (subprocess.SubprocessError, OSError) as error:
            raise WineError(f"Wine could not make its C: drive: {error}") from error
        shutil.copy(library, target / "drive_c/windows/system32/bcryptprimitives.dll")
        for folder in (target / "drive_c/users").iterdir():
            for entry in folder.iterdir():
                # Links to the real home: a node must not write there.
                if entry.is_symlink():
                    entry.unlink()
                    entry.mkdir()

    return cache.part(f"prefix-{locale}", make)


def copy_tree(source: Path, target: Path) -> None:
    """Copy by hard links, but the registry: Wine changes it in place, and it is each machine's own."""
    shutil.copytree(source, target, symlinks=True, copy_function=_link)


def _link(source: str, target: str) -> str:
    if source.endswith(".reg"):
        shutil.copy2(source, target)
        return target
    try:
        os.link(source, target)
    except OSError:  # another file system
        shutil.copy2(source, target)
    return target
