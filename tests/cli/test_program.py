"""A program on the command line, as python and torchrun take it."""

from __future__ import annotations

from pathlib import Path

import pytest

from fleet.inventory import Inventory, RunSettings, default_master
from tui.cli.exits import USAGE, UsageError
from tui.cli.launch_options import launch_inventory_of
from tui.cli.main import PROGRAM_COMMANDS, build_parser, command_parser, main, own_words
from tui.cli.program import module_fault, script_in_project, with_program

PARSER = build_parser()


def line(*words: str) -> tuple[list[str], tuple[str, ...]]:
    return tuple(with_program(words, command_parser(PARSER, words[0])))  # type: ignore[return-value]


@pytest.mark.parametrize("command", PROGRAM_COMMANDS)
@pytest.mark.parametrize(
    ("given", "own"),
    [
        (["train.py", "--lr", "3e-4"], ["--script", "train.py", "--", "--lr", "3e-4"]),
        (["--on", "gpu1", "train.py", "-m", "x"], ["--on", "gpu1", "--script", "train.py", "--", "-m", "x"]),
        (["--cpu", "train.py", "--", "a", "--"], ["--cpu", "--script", "train.py", "--", "a", "--"]),
        (["--port=29501", "t.py"], ["--port=29501", "--script", "t.py", "--"]),
        (["-m", "pkg.train", "--lr=1"], ["--module", "pkg.train", "--", "--lr=1"]),
        (["--script", "train.py", "--", "x"], ["--script", "train.py", "--", "x"]),
        (["--", "--lr", "1"], ["--", "--lr", "1"]),
        ([], []),
    ],
)
def test_everything_behind_the_program_belongs_to_it(command: str, given: list[str], own: list[str]) -> None:
    words, shared = line(command, *given)
    assert (words, shared) == ([command, *own], ())
    PARSER.parse_args(words)


@pytest.mark.parametrize(
    ("given", "own"),
    [
        (["--lang", "ko", "up", "train.py", "--lr", "1"],
         ["up", "--lang", "ko", "--script", "train.py", "--", "--lr", "1"]),
        (["--inventory", "up", "--project=x", "status"], ["status", "--inventory", "up", "--project=x"]),
        (["--read-only", "up"], ["up", "--read-only"]),
        (["--lang", "ko"], ["--lang", "ko"]),
        (["--version", "up"], ["--version", "up"]),
        (["status", "--inventory", "x"], ["status", "--inventory", "x"]),
    ],
)  # fmt: skip
def test_options_before_the_command_are_its_options(given: list[str], own: list[str]) -> None:
    words, shared = own_words(PARSER, given)
    assert (list(words), shared) == (own, ())


def test_an_inventory_before_the_command_is_used(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    named = tmp_path / "named.yaml"
    assert main(["--inventory", str(named), "status"]) == USAGE
    assert str(named) in capsys.readouterr().err


def test_an_option_that_the_command_does_not_have_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--theme", "dark", "status"])
    assert "--theme" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "korean"),
    [(["up", "x.py", "--lang", "ko"], False), (["--lang", "ko", "up", "x.py", "--lang", "fr"], True)],
)
def test_the_programs_language_is_not_dtuis(
    words: list[str],
    korean: bool,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(words) == USAGE
    shown = capsys.readouterr().err
    assert str(tmp_path) in shown
    assert any("가" <= letter <= "힣" for letter in shown) == korean


def test_options_that_dtui_has_too_are_named() -> None:
    words, shared = line("up", "train.py", "--port", "1", "--config=x", "--lr", "2", "--port", "3")
    assert words == [
        "up",
        "--script",
        "train.py",
        "--",
        "--port",
        "1",
        "--config=x",
        "--lr",
        "2",
        "--port",
        "3",
    ]
    assert shared == ("--port", "--config")


def test_a_notebook_is_refused_with_what_to_do() -> None:
    with pytest.raises(UsageError) as caught:
        line("launch", "a.ipynb")
    assert "notebook" in caught.value.what
    assert "dtui launch a.py" in caught.value.remedy
    fault = module_fault("a.ipynb", "up")
    assert fault is not None
    assert "dtui up a.py" in fault.remedy


@pytest.mark.parametrize("module", ["pkg/train.py", "pkg\\train", "train.py"])
def test_a_path_as_a_module_is_refused_with_the_right_form(module: str) -> None:
    fault = module_fault(module, "deploy")
    assert fault is not None
    assert "dtui deploy -m pkg.train" in fault.remedy or "dtui deploy -m train" in fault.remedy
    assert module_fault("pkg.train", "deploy") is None


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "project"
    (folder / "scripts").mkdir(parents=True)
    (folder / "scripts" / "train.py").touch()
    (folder / "main.py").touch()
    (tmp_path / "outside.py").touch()
    monkeypatch.chdir(folder)
    return folder


def inventory(folder: Path) -> Inventory:
    return Inventory(
        project=folder, master=default_master(folder), run=RunSettings(args=("--of", "inventory"))
    )


def test_a_script_is_found_from_the_project_and_from_here(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert script_in_project("scripts/train.py", inventory(project)) == "scripts/train.py"
    assert script_in_project(str(project / "main.py"), inventory(project)) == "main.py"
    monkeypatch.chdir(project / "scripts")
    assert script_in_project("train.py", inventory(project)) == "scripts/train.py"
    assert script_in_project("../main.py", inventory(project)) == "main.py"


@pytest.mark.parametrize(
    ("script", "word"), [("../outside.py", "is not in the project"), ("trian.py", "no file")]
)
def test_a_script_that_nodes_can_not_have_is_refused(project: Path, script: str, word: str) -> None:
    with pytest.raises(UsageError) as caught:
        script_in_project(script, inventory(project))
    assert word in caught.value.what
    assert caught.value.remedy


def described(project: Path, *words: str) -> Inventory:
    words = ("up", "--project", str(project), "--workers", "kim@192.168.1.[101-102],192.168.1.103", *words)
    line = with_program(words, command_parser(PARSER, "up"))
    return launch_inventory_of(PARSER.parse_args(line.words), "up")


def test_users_variables_and_the_program_come_from_the_command_line(project: Path) -> None:
    found = described(project, "--user", "lee", "--env", "A=1=2", "--env", "B=", "main.py", "--lr", "3e-4")
    assert [worker.user for worker in found.workers] == ["kim", "kim", "lee"]
    assert found.workers[0].address == "192.168.1.101"
    assert (found.run.script, found.run.module, found.run.args) == ("main.py", None, ("--lr", "3e-4"))
    assert found.run.env == (("A", "1=2"), ("B", ""))


def test_what_is_typed_stands_over_the_variables_of_each_node(project: Path) -> None:
    (project / "configs").mkdir(exist_ok=True)
    (project / "configs/nodes.yaml").write_text(
        "run: {env: {A: run, B: run}}\nmaster: {env: {A: master}}\n"
        "nodes: [{name: n1, address: 10.0.0.1, env: {A: node, C: node}}]\n"
    )
    parsed = PARSER.parse_args(["up", "--project", str(project), "--env", "A=typed", "--workdir", "scripts"])
    found = launch_inventory_of(parsed, "up")
    assert found.run.variables(found.master) == {"A": "typed", "B": "run"}
    assert found.run.variables(found.workers[0]) == {"A": "typed", "B": "run", "C": "node"}
    assert found.run.workdir == "scripts"


@pytest.mark.parametrize("folder", ["..", "nowhere", "main.py"])
def test_a_workdir_that_is_no_folder_of_the_project_is_refused(project: Path, folder: str) -> None:
    with pytest.raises(UsageError, match="has no folder"):
        described(project, "--workdir", folder, "main.py")


@pytest.mark.parametrize(
    ("variable", "word"),
    [
        ("A=${B:-c}", "is not a reference"),
        ("A", "NAME=VALUE"),
        ("1=x", "not the name"),
        ("WANDB_API_KEY=xyzzy", "--secret"),
    ],
)
def test_variables_that_can_not_be_given_so_are_refused(project: Path, variable: str, word: str) -> None:
    with pytest.raises(UsageError) as caught:
        described(project, "--env", variable, "main.py")
    assert word in f"{caught.value.what} {caught.value.remedy}"
    assert "xyzzy" not in f"{caught.value.what} {caught.value.remedy}"
