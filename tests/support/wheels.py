"""Small wheels that tests make themselves, and a uv to install them with."""

from __future__ import annotations

import base64
import hashlib
import os
import threading
import zipfile
from collections.abc import Mapping
from pathlib import Path

from agent.command import in_environment
from agent.environments import uv
from agent.environments.programs import Programs

#: The part of setuptools that uv needs to install a project with setup.py as editable.
_SETUPTOOLS = """
import os, zipfile

def _wheel(folder):
    name = "local-1-py3-none-any.whl"
    files = {
        "local.pth": os.getcwd() + "\\n",
        "local-1.dist-info/METADATA": "Metadata-Version: 2.1\\nName: local\\nVersion: 1\\n",
        "local-1.dist-info/WHEEL": "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n",
    }
    record = "".join(path + ",,\\n" for path in (*files, "local-1.dist-info/RECORD"))
    with zipfile.ZipFile(os.path.join(folder, name), "w") as archive:
        for path, text in files.items():
            archive.writestr(path, text)
        archive.writestr("local-1.dist-info/RECORD", record)
    return name

class _Backend:
    def build_wheel(self, folder, settings=None, metadata=None):
        return _wheel(folder)

    build_editable = build_wheel

__legacy__ = _Backend()
build_wheel = build_editable = __legacy__.build_wheel
"""


def make_wheel(
    folder: Path, name: str, version: str = "1.0", modules: Mapping[str, str] | None = None
) -> Path:
    """Make a wheel of pure Python in ``folder``; without ``modules``, with a module of its name."""
    folder.mkdir(parents=True, exist_ok=True)
    info = f"{name}-{version}.dist-info"
    files = dict(modules or {f"{name}.py": f"VERSION = {version!r}\n"})
    files[f"{info}/METADATA"] = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
    files[f"{info}/WHEEL"] = "Wheel-Version: 1.0\nGenerator: t\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    record = [f"{path},{_digest(text)},{len(text.encode())}" for path, text in files.items()]
    files[f"{info}/RECORD"] = "\n".join([*record, f"{info}/RECORD,,", ""])
    path = folder / f"{name}-{version}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for place, text in files.items():
            archive.writestr(place, text)
    return path


def make_setuptools(folder: Path) -> Path:
    """Make a wheel of a setuptools that installs any project as ``local`` 1, editable."""
    modules = {"setuptools/__init__.py": "", "setuptools/build_meta.py": _SETUPTOOLS}
    return make_wheel(folder, "setuptools", "90.0", modules)


def _digest(text: str) -> str:
    digest = hashlib.sha256(text.encode()).digest()
    return "sha256=" + base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def install_uv(cache: Path) -> Path:
    """Return a uv: that of this machine, or the one that dtui itself installs from the package index."""
    programs = Programs(lambda item: None, threading.Event(), os.environ, {})
    found = uv.find(str(cache), programs) or uv.install(str(cache), None, programs)
    return Path(found)


def module_in(environment: Path, name: str) -> list[Path]:
    """Return where a module is installed in an environment."""
    assert Path(in_environment(str(environment), "python")).exists()
    return list(environment.glob(f"lib/*/site-packages/{name}.py"))
