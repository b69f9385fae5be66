"""Windows Python with torch and accelerate, as a node that trains has it."""

from __future__ import annotations

import shutil
import tempfile
import zipfile
from pathlib import Path

from lab.wine.cache import Cache
from lab.wine.errors import WineError
from lab.wine.prefix import copy_tree
from lab.wine.pythons import PYTHON_311, windows_python
from lab.wine.registry import download_windows_wheel, fetch_windows_wheels
from lab.wine.tools import bcryptprimitives

TORCH = "2.13.0"
#: All of them, so that nothing is resolved: the resolver would see Linux's markers.
_REQUIREMENTS = (
    f"torch=={TORCH}", "accelerate==1.15.0", "numpy==2.4.6", "pillow==13.0.0", "pyyaml==6.0.3",
    "safetensors==0.8.0", "psutil==7.2.2", "huggingface_hub==1.33.0", "hf_xet==1.8.0", "filelock==4.2.12",
    "fsspec==2026.9.0", "packaging==26.3", "typing_extensions==4.16.0", "sympy==1.14.0", "mpmath==1.4.1",
    "networkx==3.6", "jinja2==3.1.6", "markupsafe==3.0.4", "tqdm==4.70.1", "colorama==0.4.6",
    "requests==2.34.2", "urllib3==2.8.0", "idna==3.20", "certifi==2026.10.18", "charset_normalizer==3.5.2",
    "httpx==0.28.1", "httpcore==1.0.9", "h11==0.16.0", "anyio==4.16.0", "sniffio==1.3.1",
    "shellingham==1.5.4", "typer==0.29.2", "click==8.5.1", "rich==15.0.0", "msvc_runtime==14.44.35112",
)  # fmt: skip
#: Holds Microsoft's ucrtbase.dll: torch throws C++ exceptions, which Wine's own can't carry.
_UCRT = "dotnetcore2==3.1.23"
#: OpenMP queries processor affinity with a call that Wine lacks. A launcher may replace the
#: environment, so it is in a place that every Python of this folder reads.
_SITE_CUSTOMIZE = 'import os\n\nos.environ["KMP_AFFINITY"] = "disabled"\n'


def torch_python(cache: Cache) -> Path:
    """Return the folder that holds python.exe; takes about two minutes and 900 MB the first time."""
    # Other parts first: parts are made one at a time.
    plain, library = windows_python(cache, PYTHON_311), bcryptprimitives(cache)

    def make(target: Path) -> None:
        copy_tree(plain, target)
        site = target / "Lib" / "site-packages"
        fetch_windows_wheels(_REQUIREMENTS, PYTHON_311.short, site)
        for runtime in (site / "Scripts").glob("*140*.dll"):
            _put(runtime, target)
        _put(library, target / "bcryptprimitives.dll")
        with tempfile.TemporaryDirectory() as folder:
            wheel = download_windows_wheel(_UCRT, PYTHON_311.short, Path(folder))
            with zipfile.ZipFile(wheel) as files:
                name = next((name for name in files.namelist() if name.endswith("/ucrtbase.dll")), None)
                if name is None:
                    raise WineError(f"{_UCRT} holds no ucrtbase.dll")
                (target / "ucrtbase.dll").write_bytes(files.read(name))
        (site / "sitecustomize.py").write_text(_SITE_CUSTOMIZE, encoding="utf-8")

    return cache.part(f"python-{PYTHON_311.version}-torch-{TORCH}", make)


def _put(source: Path, target: Path) -> None:
    place = target / source.name if target.is_dir() else target
    # A hard link of the plain Python's file must not be written into.
    place.unlink(missing_ok=True)
    shutil.copy(source, place)
