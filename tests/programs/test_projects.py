"""Projects of every kind, over SSH nodes: what reaches a node is what the program's author has there."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tests.programs.site import NODES, ProgramSite

pytestmark = pytest.mark.timeout(1800)


def git(folder: Path, *words: str) -> None:
    own = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}
    settings = ("user.name=a", "user.email=a@b.c", "protocol.file.allow=always")
    person = [word for setting in settings for word in ("-c", setting)]
    command = ["git", "-C", str(folder), *person, *words]
    subprocess.run(command, check=True, capture_output=True, env={**os.environ, **own})


def commit(folder: Path, *files: str) -> None:
    git(folder, "add", *(files or ["-A"]))
    git(folder, "commit", "-q", "-m", "work")


@pytest.mark.needs("git")
def test_a_worktree_with_a_submodule_and_data_of_2_gb_that_stay_in_place(
    site: ProgramSite, tmp_path: Path
) -> None:
    library, repository = tmp_path / "library", tmp_path / "repository"
    for folder in (library, repository):
        folder.mkdir()
        git(folder, "init", "-q", "-b", "main")
    (library / "bits").mkdir()
    (library / "bits/__init__.py").write_text("VERSION = 7\n")
    (library / ".gitignore").write_text("*.cache\n")
    commit(library)
    (repository / ".gitignore").write_text("/sets/\n")
    commit(repository)
    git(repository, "submodule", "add", "-q", str(library), "third_party")
    commit(repository)
    checkout = tmp_path / "of-the-worktree"
    git(repository, "worktree", "add", "-q", str(checkout))
    git(checkout, "submodule", "update", "-q", "--init")
    # The project is that worktree: its own `.git`, and the submodule's, are files here.
    for entry in checkout.iterdir():
        entry.rename(site.folder / entry.name)
    assert (site.folder / ".git").is_file()
    assert (site.folder / "third_party/.git").is_file()
    site.author("project_told.py", "train.py")
    site.write({"third_party/left.cache": "not the author's", "sets/labels.txt": "1"})
    with (site.folder / "sets/images.bin").open("wb") as file:
        file.truncate(2 << 30)
    own = site.home("node1") / "disk"
    own.mkdir()
    for folder in (own, site.project("node2") / "sets"):
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "labels.txt").write_text("1")
        with (folder / "images.bin").open("wb") as file:
            file.truncate(2 << 30)
    site.inventory["data"] = {"root": "sets", "on": {"node1": "~/disk"}, "parity": "sizes"}
    site.inventory["run"]["env"] = {"PYTHONPATH": "third_party"}
    site.save()
    done = site.run("up", "--json", "train.py", "bits", "한글 인자", "--", "--lr=1")
    assert done.code == 0, done.said
    sent = {event["node"]: event["bytes_sent"] for event in done.of("NodeDeployed")}
    assert set(sent) == set(NODES)
    assert max(sent.values()) < 1 << 20, "data stay where they are"
    results = site.results()
    assert [result["node"] for result in results.values()] == list(NODES)
    for result in results.values():
        assert result["world"] == 3
        assert result["argv"] == ["bits", "한글 인자", "--", "--lr=1"]
        assert result["cwd"] == str(site.project(result["node"]).resolve())
        assert result["sizes"] == {"images.bin": 2 << 30, "labels.txt": 1}
        bits = result["imported"]["bits"]
        assert bits["version"] == 7
        assert Path(bits["from"]).is_relative_to(site.project(result["node"]).resolve())
    assert results[1]["data"] == str(own)
    for rank in (1, 2):
        names = results[rank]["files"]
        assert {"train.py", "third_party/bits/__init__.py", ".gitmodules"} <= set(names)
        # What is git's own points to folders that no node has.
        assert not {name for name in names if name.split("/")[-1] == ".git" or name.endswith(".cache")}


def test_a_program_with_its_own_configuration_whose_output_goes_into_the_project(site: ProgramSite) -> None:
    """The trainer's rules are not its rules, ``> up.log`` is no reason to stop, and no line is too long."""
    site.author("own_config.py", "scripts/train.py")
    own = "dataset: {name: plans}\ntraining: {mixed_precision: no, batch: many}\n"
    site.write({"configs/train_config.yaml": own})
    words = ("scripts/train.py", "--config", "configs/train_config.yaml")
    done = site.run("up", "--on", "master,node1", *words, log="up.log")
    assert done.code == 0, done.said
    wanted = {"dataset": {"name": "plans"}, "training": {"mixed_precision": False, "batch": "many"}}
    results = site.results("master", "node1")
    assert [result["config"] for result in results.values()] == [wanted] * 2
    assert [result["precision"] for result in results.values()] == [None] * 2
    assert "\ufffd" not in done.out
    assert (done.out.count("도"), done.out.count("면")) == (50_000, 50_000)
    assert not (site.project("node1") / "up.log").exists()


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (("up", "train.ipynb", "--lr", "1"), None),
        pytest.param(("launch", "--script", "train.ipynb"), None, marks=pytest.mark.full),
        pytest.param(("up", "-m", "train.ipynb"), None, marks=pytest.mark.full),
        (("up",), "train.ipynb"),
    ],
)
def test_a_notebook_is_refused_with_the_form_that_works(
    site: ProgramSite, words: tuple[str, ...], named: str | None
) -> None:
    site.write({"train.ipynb": '{"cells": []}'})
    if named:
        site.inventory["run"]["script"] = named
        site.save()
    refused = site.run(*words)
    assert refused.code == 2, refused.err
    assert "train.ipynb is a notebook, which ranks cannot run" in refused.err
    assert f"run `dtui {words[0]} train.py`" in refused.err
    assert "connected" not in refused.err
    assert not site.project("node1").exists()
