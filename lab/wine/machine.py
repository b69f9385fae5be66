"""A running Windows machine: its C: drive with Python, and the session that keeps it running."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType

from lab.wine.cache import Cache, default_cache
from lab.wine.errors import WineError
from lab.wine.locale_files import PLAIN, locale_folder
from lab.wine.prefix import copy_tree, template, wine_environment
from lab.wine.process import Mode, WineProcess
from lab.wine.pythons import PYTHON_39, PYTHON_311, WindowsPython, windows_python
from lab.wine.tools import WINE, WINESERVER, check_tools, winexec

_STOPPING = 30
#: Prefix of a machine's folder in the cache; the owner's pid and a random part follow.
_FOLDER = "machine-"
#: The releases that every node can have.
RELEASES = (PYTHON_39, PYTHON_311)
COMSPEC = r"C:\windows\system32\cmd.exe"


class WindowsMachine:
    """Use as a context manager; several nodes may share one. ``locale`` ko_KR.UTF-8 makes it Korean."""

    def __init__(self, *, locale: str = PLAIN, cache: Path | None = None) -> None:
        self._cache = Cache(cache or default_cache())
        self._locale = locale
        self._keeper: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Copy the C: drive and bring up Wine's services; raises WineError."""
        check_tools()
        self._winexec = winexec(self._cache)
        source = template(self._cache, self._locale)
        remove_abandoned(self._cache.folder)
        # Next to the template, since hard links need the same file system.
        folder = tempfile.mkdtemp(prefix=f"{_FOLDER}{os.getpid()}-", dir=self._cache.folder)
        self.prefix = Path(folder) / "wine"
        copy_tree(source, self.prefix)
        self._environment = {
            **wine_environment(self.prefix, self._locale),
            "LOCPATH": str(locale_folder(self._cache)),
        }
        # The first process of a session passes its streams on to Wine's services, so it has none.
        self._keeper = subprocess.Popen(
            [WINE, self._winexec, "hold"],
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        probe = self.run("winrm", f'{COMSPEC} /c "exit 42"', variables={}, folder="C:\\")
        if probe.wait() != 42:
            self.stop()
            raise WineError("Wine starts no process; try `wine64 cmd /c exit 42` yourself")

    def stop(self) -> None:
        """End every process of the machine and remove its drive."""
        if self._keeper is None:
            return
        _end_session(self._environment)
        self._keeper.kill()
        self._keeper.wait()
        self._keeper = None
        shutil.rmtree(self.prefix.parent, ignore_errors=True)

    def run(self, mode: Mode, line: str, *, variables: Mapping[str, str], folder: str) -> WineProcess:
        """Start a raw Windows command line."""
        return WineProcess(self._winexec, self._environment, mode, line, variables=variables, folder=folder)

    def python(self, release: WindowsPython = PYTHON_311) -> str:
        r"""Return the Windows path of an interpreter, e.g. ``C:\Python311\python.exe``."""
        return self._installed(
            f"Python{release.short.replace('.', '')}", windows_python(self._cache, release)
        )

    def python_with_torch(self) -> str:
        """Return the Windows path of an interpreter that has torch and accelerate."""
        from lab.wine.torch import torch_python  # few machines need it

        return self._installed("PythonTorch", torch_python(self._cache))

    def _installed(self, name: str, folder: Path) -> str:
        link = self.drive / name
        if not link.exists():
            link.symlink_to(folder)
        return rf"C:\{name}\python.exe"

    @property
    def drive(self) -> Path:
        """The path of C: in this file system."""
        return self.prefix / "drive_c"

    def path(self, windows: str) -> Path:
        r"""Return where ``C:\...`` is; every part is found in any case, as on Windows."""
        drive, _, rest = windows.replace("/", "\\").partition(":")
        if drive.lower() != "c":
            raise ValueError(f"{windows!r} is not on drive C:")
        place = self.drive
        for part in filter(None, rest.split("\\")):
            exact = place / part
            if not exact.exists() and place.is_dir():
                same = (entry.name for entry in place.iterdir() if entry.name.casefold() == part.casefold())
                exact = place / next(same, part)
            place = exact
        return place

    def __enter__(self) -> WindowsMachine:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


def remove_abandoned(cache: Path) -> None:
    """End machines whose process was killed before it could do so, and remove their drives."""
    for folder in cache.glob(f"{_FOLDER}*"):
        owner = folder.name.removeprefix(_FOLDER).partition("-")[0]
        if not Path(f"/proc/{owner}").exists():
            _end_session(wine_environment(folder / "wine"))
            shutil.rmtree(folder, ignore_errors=True)


def _end_session(environment: Mapping[str, str]) -> None:
    with contextlib.suppress(subprocess.SubprocessError, OSError):
        for option in ("-k", "-w"):
            subprocess.run([WINESERVER, option], env=environment, timeout=_STOPPING, check=False)
