"""How an environment is made is decided from the project's files, before anything is sent."""

from __future__ import annotations

from pathlib import Path

import pytest

from fleet.deploy.recipe import recipe_of
from fleet.errors import FleetError

PROJECT = '[project]\nname = "a"\nversion = "1"\n'
DEPENDS = PROJECT + 'dependencies = ["leaf"]\n'
TRAIN = DEPENDS + '[project.optional-dependencies]\ntrain = ["more"]\n'
BUILD = '[build-system]\nrequires = ["setuptools"]\n'
TOOLS = "[tool.ruff]\nline-length = 100\n"


def project(folder: Path, *files: str, **contents: str) -> Path:
    for name in files:
        (folder / name).write_text("")
    for name, text in contents.items():
        (folder / name.replace("_", ".")).write_text(text)
    return folder


@pytest.mark.parametrize(
    ("files", "pyproject", "expected"),
    [
        ([], DEPENDS, ("project", [], False, "", [])),
        (["uv.lock"], PROJECT, ("project", [], False, "", [])),
        ([], TRAIN, ("project", [], False, "", ["train"])),
        ([], DEPENDS + BUILD, ("project", [], True, "", [])),
        ([], DEPENDS + BUILD + "[tool.uv]\npackage = false\n", ("project", [], False, "", [])),
        (["requirements.txt"], DEPENDS, ("project", [], False, "", [])),
        (["requirements.txt"], PROJECT, ("packages", ["requirements.txt"], False, "", [])),
        (["requirements.txt"], PROJECT + BUILD, ("packages", ["requirements.txt"], True, "", [])),
        (["requirements.txt", "uv.lock"], PROJECT, ("project", [], False, "", [])),
        (["requirements.txt"], TOOLS, ("packages", ["requirements.txt"], False, "", [])),
        (["requirements.txt"], None, ("packages", ["requirements.txt"], False, "", [])),
        (["setup.py"], None, ("packages", [], True, "", [])),
        (["setup.cfg"], TOOLS, ("packages", [], True, "", [])),
        ([], BUILD + "[tool.poetry]\nname = 'a'\n", ("packages", [], True, "", [])),
        (["environment.yml"], None, ("conda", [], False, "environment.yml", [])),
        (["environment.yaml"], TOOLS, ("conda", [], False, "environment.yaml", [])),
    ],
)
def test_each_kind_of_project_has_its_recipe(
    tmp_path: Path, files: list[str], pyproject: str | None, expected: tuple[object, ...]
) -> None:
    project(tmp_path, *files, **({} if pyproject is None else {"pyproject_toml": pyproject}))
    assert tuple(recipe_of(tmp_path).recipe.values()) == expected


def test_the_extras_that_the_user_names_replace_the_default(tmp_path: Path) -> None:
    assert recipe_of(project(tmp_path, pyproject_toml=TRAIN), ["gpu"]).recipe["extras"] == ["gpu"]


@pytest.mark.parametrize(
    ("files", "note"),
    [
        (["requirements.txt", "setup.py"], "the project itself (setup.py) is not installed"),
        (["requirements.txt", "environment.yml"], "environment.yml is not used"),
    ],
)
def test_files_that_take_no_part_are_named(tmp_path: Path, files: list[str], note: str) -> None:
    assert any(note in text for text in recipe_of(project(tmp_path, *files)).notes)


@pytest.mark.parametrize(
    ("files", "contents", "reason"),
    [
        ([], {}, "neither pyproject.toml, requirements.txt, setup.py, setup.cfg nor environment.yml"),
        (["Pipfile", "pixi.toml"], {}, "the project has Pipfile, pixi.toml, which dtui does not read"),
        ([], {"pyproject_toml": TOOLS}, "neither [project] nor [build-system]"),
        ([], {"pyproject_toml": "[project\n"}, "pyproject.toml can't be read"),
        ([], {"pyproject_toml": "[" * 100_000}, "pyproject.toml can't be read"),
    ],
)
def test_what_is_not_understood_is_named(
    tmp_path: Path, files: list[str], contents: dict[str, str], reason: str
) -> None:
    with pytest.raises(FleetError) as caught:
        recipe_of(project(tmp_path, *files, **contents))
    assert reason in caught.value.what
    assert caught.value.remedy
