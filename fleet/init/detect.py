"""What a project's folder holds that a run needs: programs, an Accelerate configuration, data."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from contextlib import suppress
from itertools import islice
from pathlib import Path

from msgspec import Struct

from fleet.init.importers import accelerate
from fleet.program_config import read_config
from transports.regular_files import read_start

_SCRIPTS = ("train.py", "scripts/train.py", "src/train.py", "main.py")
#: Folders with programs beside the project's own.
_FOLDERS = ("", "scripts", "src", "tools", "training")
#: Folders with configurations.
_CONFIGS = ("", "configs", "config", "accelerate", "accelerate_configs")
_DATA = ("data", "dataset", "datasets")
#: In the names of programs that train.
_NAMES = re.compile(r"train|finetune|fine_tune|pretrain|run_", re.IGNORECASE)
_TRAINS = re.compile(
    r"^\s*(?:import|from)\s+(?:torch|accelerate|lightning|pytorch_lightning|transformers|deepspeed)\b", re.M
)
_STARTS = re.compile(r"""^if\s+__name__\s*==\s*["']__main__["']""", re.M)
_MAX_SIZE = 1 << 20
_MAX_FILES = 200
_MAX_DATA_FILES = 20_000


class Program(Struct, frozen=True):
    """What ``run`` starts: exactly one of the two is set."""

    script: str | None = None
    module: str | None = None

    def __str__(self) -> str:
        return f"module: {self.module}" if self.module else f"script: {self.script}"


class Detected(Struct, frozen=True):
    """``programs`` are the likely one and then others; paths are below the project, with ``/``."""

    programs: tuple[Program, ...] = ()
    accelerate: str | None = None
    data: str | None = None
    #: Bytes of the data; None when there are more files than are counted.
    data_bytes: int | None = None


def detect(project: Path) -> Detected:
    """Return what is found; nothing is imported, and nothing is raised."""
    programs = tuple(dict.fromkeys(_programs(project)))
    if programs and programs[0].module == "trainer":
        return Detected(programs)  # its configuration names its data, and dtui its Accelerate configuration
    data = next((name for name in _DATA if _has_files(project / name)), None)
    return Detected(
        programs=programs,
        accelerate=next(_accelerate_files(project), None),
        data=data,
        data_bytes=_size(project / data) if data is not None else None,
    )


def _programs(project: Path) -> Iterator[Program]:
    if (project / "trainer" / "__main__.py").is_file():
        yield Program(module="trainer")
    for script in _SCRIPTS:
        if (project / script).is_file():
            yield Program(script=script)
    for module in _entry_points(project):
        if _STARTS.search(_text(_file_of(project, module))):
            yield Program(module=module)
    for root in (project, project / "src"):
        for path in _listed(root, "*/__main__.py"):
            if _TRAINS.search(_text(path)) or _NAMES.search(path.parent.name):
                yield Program(module=path.parent.name)
    for folder in _FOLDERS:
        for path in _listed(project / folder, "*.py"):
            text = _text(path) if _NAMES.search(path.stem) else ""
            if _TRAINS.search(text):
                yield Program(script=path.relative_to(project).as_posix())


def _entry_points(project: Path) -> list[str]:
    """Return the modules of the commands that pyproject.toml declares."""
    try:
        values = tomllib.loads(_text(project / "pyproject.toml"))
    except (tomllib.TOMLDecodeError, RecursionError):
        return []
    section = values.get("project")
    scripts = section.get("scripts") if isinstance(section, dict) else None
    targets = scripts.values() if isinstance(scripts, dict) else ()
    modules = [target.partition(":")[0].strip() for target in targets if isinstance(target, str)]
    return [module for module in modules if re.fullmatch(r"\w+(\.\w+)*", module)]


def _file_of(project: Path, module: str) -> Path:
    path = Path(*module.split(".")).with_suffix(".py")
    return project / path if (project / path).is_file() else project / "src" / path


def _accelerate_files(project: Path) -> Iterator[str]:
    for folder in _CONFIGS:
        for pattern in ("*.yaml", "*.yml"):
            for path in _listed(project / folder, pattern):
                if "compute_environment" not in _text(path):
                    continue
                values: dict[object, object] = dict(read_config(path)[0].items())
                if accelerate.matches(values) and accelerate.read(values).accelerate:
                    yield path.relative_to(project).as_posix()


def _listed(folder: Path, pattern: str) -> list[Path]:
    try:
        return sorted(path for path in islice(folder.glob(pattern), _MAX_FILES) if path.is_file())
    except OSError:
        return []


def _text(path: Path) -> str:
    try:
        return read_start(path, _MAX_SIZE).decode("utf-8-sig", "replace")
    except OSError:
        return ""


def _has_files(folder: Path) -> bool:
    """Return whether it is data: a package of Python of that name is code."""
    if not folder.is_dir() or (folder / "__init__.py").exists():
        return False
    with suppress(OSError):
        return any(path.is_file() for path in islice(folder.rglob("*"), _MAX_FILES))
    return False


def _size(folder: Path) -> int | None:
    total = 0
    try:
        for number, path in enumerate(folder.rglob("*")):
            if number >= _MAX_DATA_FILES:
                return None
            with suppress(OSError):
                total += path.stat().st_size if path.is_file() else 0
    except OSError:
        return None
    return total
