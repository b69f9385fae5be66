"""``--secret`` at a terminal and without one: asked without echo, never echoed, and refused with a reason."""

from __future__ import annotations

import sys

import pytest

from tests.cli.conftest import Project
from tests.support.terminal import Terminal

VALUE = "hunter2-4f9c"
PROGRAM = "import os\nprint('length', len(os.environ['WANDB_API_KEY']), flush=True)\n"


@pytest.mark.usefixtures("nodes")
def test_a_secret_is_asked_for_without_echo_and_reaches_every_rank(project: Project) -> None:
    project.write("train.py", PROGRAM)
    words = ["up", "--script", "train.py", "--cpu", "--secret", "WANDB_API_KEY"]
    environment = {
        "XDG_CACHE_HOME": str(project.folder.parent / "cache"),
        "PYTHON_KEYRING_BACKEND": "keyring.backends.fail.Keyring",
    }
    with Terminal([sys.executable, "-m", "tui", *words], project.folder, environment) as terminal:
        terminal.until("Value of the secret WANDB_API_KEY")
        terminal.press(f"{VALUE}\n")
        assert terminal.to_the_end() == 0, terminal.written[-3000:]
    written = terminal.written.decode("utf-8", "replace")
    assert VALUE not in written
    assert written.count(f"length {len(VALUE)}") == 3


def test_without_a_terminal_and_a_keyring_the_run_is_refused(project: Project) -> None:
    project.write("train.py", PROGRAM)
    project.write("configs/nodes.yaml", "run: {script: train.py, secrets: [WANDB_API_KEY]}\nnodes: []\n")
    done = project.run("up", "--cpu")
    assert done.returncode != 0
    assert "the run's secret WANDB_API_KEY has no value" in done.stderr
    assert f'keyring set "dtui:{project.folder}" WANDB_API_KEY' in done.stderr
    assert "Traceback" not in done.stderr
    assert not (project.folder / ".dtui" / "runs").exists()


def test_a_dry_run_asks_nothing(project: Project) -> None:
    project.write("train.py", PROGRAM)
    project.write("configs/nodes.yaml", "run: {script: train.py, secrets: [WANDB_API_KEY]}\nnodes: []\n")
    assert "has no value" not in project.run("up", "--cpu", "--dry-run").stderr


@pytest.mark.parametrize("word", [f"WANDB_API_KEY={VALUE}", f"{VALUE}", "RANK", "DTUI_NODE", ""])
def test_what_is_no_name_is_refused_and_not_repeated(word: str, project: Project) -> None:
    project.write("configs/nodes.yaml", "nodes: []\n")
    done = project.run("launch", f"--secret={word}")
    assert done.returncode == 2
    assert VALUE not in done.stdout + done.stderr
    assert "--secret" in done.stderr
