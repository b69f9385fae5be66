"""How a project's environment is made: decided on the master, from the files in the project's top folder.

- ``pyproject.toml`` with ``[project]``: ``uv sync``, or ``uv pip`` with requirements.txt if it lists no
  dependencies;
- else ``requirements.txt``: ``uv pip install -r``;
- else ``setup.py``, ``setup.cfg`` or a pyproject.toml with ``[build-system]``: ``uv pip install -e .``;
- else ``environment.yml``: conda.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path

from msgspec import Struct

from agent.wire.deploy import Recipe
from agent.wire.message import Message, message
from fleet.errors import FleetError
from transports.regular_files import read_start

_LARGEST = 4 << 20
_REQUIREMENTS = "requirements.txt"
_CONDA = ("environment.yml", "environment.yaml")
#: Files of other tools, which dtui does not read.
_OTHER = ("Pipfile", "pixi.toml", "conda-lock.yml", "requirements.in", "requirements", "WORKSPACE")
_DEFAULT_EXTRA = "train"


class ProjectRecipe(Struct, frozen=True):
    """The recipe, and notes about files that take no part in it."""

    recipe: Recipe
    notes: tuple[Message, ...] = ()


def recipe_of(root: Path, extras: Sequence[str] = ()) -> ProjectRecipe:
    """Return the recipe for the project in ``root``; raises FleetError for a project that dtui can't install.

    ``extras`` are the optional dependencies wanted; without any, one named ``train`` is, if there is one.
    Blocks.
    """
    pyproject = _pyproject(root)
    conda = next((name for name in _CONDA if (root / name).is_file()), "")
    requirements = (root / _REQUIREMENTS).is_file()
    legacy = next((name for name in ("setup.py", "setup.cfg") if (root / name).is_file()), "")
    builds = "build-system" in pyproject
    project = pyproject.get("project")
    notes: list[Message] = []
    if isinstance(project, Mapping):
        chosen = "pyproject.toml"
        wanted = list(extras) or ([_DEFAULT_EXTRA] if _has_extra(project, _DEFAULT_EXTRA) else [])
        if requirements and not _has_dependencies(project) and not (root / "uv.lock").is_file():
            recipe = _packages([_REQUIREMENTS], editable=builds or bool(legacy), extras=wanted)
        else:
            package = _table(_table(pyproject, "tool"), "uv").get("package")
            editable = package is not False and (builds or package is True)
            recipe = Recipe(tool="project", requirements=[], editable=editable, conda="", extras=wanted)
    elif requirements:
        chosen = _REQUIREMENTS
        recipe = _packages([_REQUIREMENTS], editable=False, extras=extras)
        if legacy:
            notes.append(
                message(
                    "environment.not-installed",
                    "the project itself ({file}) is not installed, since requirements.txt does not list it: "
                    "add the line `-e .` if programs import it",
                    file=legacy,
                )
            )
    elif legacy or builds:
        chosen = legacy or "pyproject.toml"
        recipe = _packages([], editable=True, extras=extras)
    elif conda:
        return ProjectRecipe(Recipe(tool="conda", requirements=[], editable=False, conda=conda, extras=[]))
    else:
        raise _unknown(root, has_pyproject=(root / "pyproject.toml").is_file())
    if conda:
        notes.append(
            message(
                "environment.conda-unused",
                "{conda} is not used, since the environment is made from {file}",
                conda=conda,
                file=chosen,
            )
        )
    return ProjectRecipe(recipe, tuple(notes))


def _packages(requirements: Sequence[str], *, editable: bool, extras: Sequence[str]) -> Recipe:
    return Recipe(
        tool="packages", requirements=list(requirements), editable=editable, conda="", extras=list(extras)
    )


def _pyproject(root: Path) -> Mapping[str, object]:
    """Return what pyproject.toml has, nothing without one; raises FleetError when it can't be read."""
    path = root / "pyproject.toml"
    try:
        data = read_start(path, _LARGEST + 1)
        if len(data) > _LARGEST:
            raise ValueError(f"more than {_LARGEST >> 20} MiB")
        return tomllib.loads(data.decode("utf-8"))
    except FileNotFoundError:
        return {}
    except OSError as error:
        reason = error.strerror or str(error)
    except (ValueError, RecursionError) as error:
        reason = str(error)
    raise FleetError(
        message("environment.pyproject", "pyproject.toml can't be read: {error}", error=reason),
        remedy=message("environment.pyproject.remedy", "correct {path}", path=str(path)),
    )


def _table(values: Mapping[str, object], key: str) -> Mapping[str, object]:
    found = values.get(key)
    return found if isinstance(found, Mapping) else {}


def _has_extra(project: Mapping[str, object], name: str) -> bool:
    return name in _table(project, "optional-dependencies")


def _has_dependencies(project: Mapping[str, object]) -> bool:
    dynamic = project.get("dynamic")
    return bool(project.get("dependencies")) or (isinstance(dynamic, list) and "dependencies" in dynamic)


def _unknown(root: Path, *, has_pyproject: bool) -> FleetError:
    others = [name for name in _OTHER if (root / name).exists()]
    remedy = message(
        "environment.no-dependencies.remedy",
        "add one of them, or set `interpreter` to the Python that trains on each node",
    )
    if others:
        return FleetError(
            message(
                "environment.unknown-files",
                "the project has {files}, which dtui does not read, and neither pyproject.toml with "
                "[project], requirements.txt, setup.py, setup.cfg nor environment.yml",
                files=others,
            ),
            remedy=remedy,
        )
    if has_pyproject:
        return FleetError(
            message(
                "environment.no-project-table",
                "the project's pyproject.toml has neither [project] nor [build-system], and there is neither "
                "requirements.txt, setup.py, setup.cfg nor environment.yml",
            ),
            remedy=remedy,
        )
    return FleetError(
        message(
            "environment.no-dependencies",
            "the project has neither pyproject.toml, requirements.txt, setup.py, setup.cfg nor "
            "environment.yml, so its environment can't be made",
        ),
        remedy=remedy,
    )
