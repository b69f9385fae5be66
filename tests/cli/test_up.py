"""The commands on loopback nodes, as a user types them."""

from __future__ import annotations

import json
import re
import signal
from pathlib import Path

import pytest

from tests.cli.conftest import DEADLINE, Project

COUNTING = """
import os, sys, time
for number in range(int(sys.argv[1])):
    print("rank", os.environ["RANK"], "of", os.environ["WORLD_SIZE"], "line", number, "한글", flush=True)
    time.sleep(float(sys.argv[2]))
"""

WAITING = """
import os, pathlib, time
print("waiting", flush=True)
while not pathlib.Path(os.environ["DTUI_STOP_FILE"]).exists():
    time.sleep(0.05)
print("asked to stop", flush=True)
"""


def lines_of(output: str, rank: int) -> list[int]:
    return [int(number) for number in re.findall(rf"rank {rank} of 3 line (\d+) 한글", output)]


@pytest.mark.usefixtures("nodes")
def test_up_runs_every_step_and_the_run_can_be_viewed_afterwards(project: Project) -> None:
    project.write("train.py", COUNTING)
    done = project.run("up", "train.py", "4", "0")
    assert done.returncode == 0, done.stderr
    for rank in range(3):
        assert lines_of(done.stdout, rank) == [0, 1, 2, 3]
    assert "succeeded" in done.stderr

    again = project.run("deploy", "--script", "train.py")
    assert again.returncode == 0
    assert again.stderr.count("0 bytes sent") == 3

    status = project.run("status")
    assert status.returncode == 0
    assert status.stdout.count("exited with 0") == 3
    (listed,) = json.loads(project.run("status", "--all", "--json").stdout)["runs"]
    assert (listed["world_size"], listed["outcome"]) == (3, "succeeded")

    for words in (
        ("logs",),
        ("logs", "--follow"),
        ("replay",),
        ("replay", "--inventory", "configs/nodes.yaml"),
    ):
        printed = project.run(*words)
        assert printed.returncode == 0
        assert [lines_of(printed.stdout, rank) for rank in range(3)] == [[0, 1, 2, 3]] * 3
    assert lines_of(project.run("logs", "--rank", "1").stdout, 0) == []


@pytest.mark.usefixtures("nodes")
def test_a_run_survives_a_killed_console_and_another_one_shows_all_of_it(project: Project) -> None:
    project.write("train.py", COUNTING)
    console = project.start("up", "--script", "train.py", "--", "40", "0.1")
    assert console.stdout is not None
    for line in console.stdout:
        if "line 5" in line:
            break
    console.send_signal(signal.SIGKILL)
    console.communicate(timeout=DEADLINE)
    followed = project.run("logs", "--follow")
    assert followed.returncode == 0, followed.stderr
    for rank in range(3):
        assert lines_of(followed.stdout, rank) == list(range(40)), "no line lost, none doubled"


@pytest.mark.usefixtures("nodes")
def test_detach_then_stop(project: Project) -> None:
    project.write("train.py", WAITING)
    started = project.run("up", "--detach", "--script", "train.py")
    assert started.returncode == 0, started.stderr
    assert "running" in project.run("status").stdout
    refused = project.run("launch", "--script", "train.py")
    assert refused.returncode == 1
    assert "under way" in refused.stderr
    stopped = project.run("stop")
    assert re.search(r"run (\S+) stopped", stopped.stderr), stopped.stderr
    run = re.findall(r"run (\S+) stopped", stopped.stderr)[0]
    assert "running" not in project.run("status", run).stdout
    assert project.run("logs", run).stdout.count("asked to stop") == 3


@pytest.mark.usefixtures("nodes")
def test_a_failing_rank_is_named_and_the_exit_code_reports_it(project: Project) -> None:
    project.write(
        "train.py",
        "import os, sys, time\nif os.environ['RANK'] == '2': sys.exit('no data here')\ntime.sleep(60)\n",
    )
    failed = project.run("up", "--script", "train.py")
    assert failed.returncode == 1
    assert re.search(r"failed: .*rank 2", failed.stderr)
    assert "no data here" in failed.stdout
    assert project.run("status").returncode == 1


@pytest.mark.usefixtures("nodes")
@pytest.mark.parametrize(
    ("printed", "cause", "remedy", "untrue"),
    [
        (
            "CUDA out of memory. Tried to allocate 2 GiB",
            "the GPU's memory is full",
            "reduce the batch size per rank",
            "training.batch_size",
        ),
        (
            "Distributed package doesn't have NCCL built in",
            "the program asked for NCCL, and the node's torch is built without it",
            "install a CUDA build of torch",
            "Windows",
        ),
    ],
)
def test_a_known_failure_is_explained_and_its_log_line_is_quoted(
    project: Project, printed: str, cause: str, remedy: str, untrue: str
) -> None:
    project.write(
        "train.py",
        f"import os, time\nif os.environ['RANK'] == '1': raise RuntimeError({printed!r})\ntime.sleep(60)\n",
    )
    failed = project.run("up", "--script", "train.py")
    assert failed.returncode == 1
    assert f"rank 1 (node1) ended with exit code 1: {cause}" in failed.stderr
    assert printed in failed.stderr
    assert remedy in failed.stderr
    assert untrue not in failed.stderr, "the nodes run Linux, and train.py is not the trainer"


@pytest.mark.usefixtures("nodes")
def test_json_prints_only_events_on_stdout(project: Project) -> None:
    project.write("train.py", COUNTING)
    done = project.run("up", "--json", "--script", "train.py", "--", "2", "0")
    events = [json.loads(line) for line in done.stdout.splitlines()]
    assert {"CheckFinished", "NodeDeployed", "RunPlanned", "RankStarted", "LogChunk", "RunFinished"} <= {
        event["event"] for event in events
    }
    assert events[-1]["outcome"] == "succeeded"


@pytest.mark.usefixtures("nodes")
def test_a_dry_run_shows_what_would_be_sent_and_started_and_changes_nothing(project: Project) -> None:
    project.write("train.py", COUNTING)
    shown = project.run("up", "--dry-run", "--script", "train.py")
    assert shown.returncode == 0, shown.stderr
    assert shown.stderr.count("would add train.py") == 2
    assert "would start 3 ranks" in shown.stderr
    assert "no run was started" in project.run("status").stderr


@pytest.mark.usefixtures("nodes")
def test_unequal_processes(project: Project, nodes: Path) -> None:
    project.write("train.py", COUNTING)
    text = nodes.read_text("utf-8")
    first = text.index("gpus: 0", text.index("name: node1"))
    nodes.write_text(text[:first] + "processes: 2\n    " + text[first:], "utf-8")
    done = project.run("up", "--script", "train.py", "--", "1", "0")
    assert done.returncode == 0, done.stderr
    assert sorted(set(re.findall(r"rank (\d) of 4", done.stdout))) == ["0", "1", "2", "3"]


def test_an_unreachable_node_stops_up_before_anything_is_sent(project: Project, nodes: Path) -> None:
    project.write("train.py", COUNTING)
    text = nodes.read_text("utf-8")
    nodes.write_text(re.sub(r"^    port: \d+", "    port: 9", text, count=1, flags=re.MULTILINE), "utf-8")
    failed = project.run("up", "--script", "train.py")
    assert failed.returncode == 1
    assert "node1: reach: the connection was refused" in failed.stderr
    assert "1 of 3 nodes failed the checks, so nothing was changed: node1" in failed.stderr
    assert "deployed, " not in failed.stderr


@pytest.mark.usefixtures("nodes")
def test_an_exception_of_one_rank_is_the_runs_cause(project: Project) -> None:
    project.write(
        "train.py",
        "import os, time\n"
        "if os.environ['RANK'] == '1': raise ValueError('the data on this node is broken')\n"
        "time.sleep(60)\n",
    )
    failed = project.run("up", "--script", "train.py")
    assert failed.returncode == 1
    cause = "rank 1 (node1) ended with exit code 1: ValueError: the data on this node is broken"
    assert cause in failed.stderr
    assert cause in project.run("status").stdout


READING = """
import os, pathlib, sys
told = (os.environ.get("HF_HOME"), os.environ["LATE"], pathlib.Path("input.txt").read_text(), sys.argv[1])
print("rank", os.environ["RANK"], *told, flush=True)
"""


def test_all_ranks_have_one_environment_a_workdir_and_what_the_setup_has_made(
    project: Project, nodes: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HOME", "/of/the/shell")
    project.write("small/train.py", READING)
    project.write("small/make.py", "import os; open('input.txt', 'w').write('by-' + os.environ['DTUI_NODE'])")
    setup = "  setup: [python make.py]\n  env: {LATE: $NOT_ANYWHERE}\n"
    nodes.write_text(nodes.read_text().replace("run:\n", "run:\n" + setup, 1))
    done = project.run("up", "--workdir", "small", "--env", "LATE=$HOME", "small/train.py", "arg")
    assert done.returncode == 0, done.stderr
    homes = [re.search(rf"rank {rank} None (\S+) by-(\S+) arg", done.stdout) for rank in range(3)]
    assert [home and home[2] for home in homes] == ["master", "node1", "node2"], done.stdout
    assert len({home and home[1] for home in homes}) == 3, "each node has its own home folder"
    assert re.search(r"this shell sets HF_HOME\b.*, which no rank gets from it", done.stderr)
    assert "write `env: {HF_HOME: /of/the/shell" in done.stderr


def test_a_project_whose_environment_is_unknown_is_refused_before_anything_is_sent(
    project: Project, nodes: Path
) -> None:
    project.write("train.py", "")
    refused = project.run("up", "--environment", "uv", "train.py")
    assert refused.returncode == 2, refused.stderr
    assert "neither pyproject.toml, requirements.txt, setup.py" in refused.stderr
    assert "files to send" not in refused.stderr
    missing = project.run("up", "--workdir", "nowhere", "train.py")
    assert "has no folder nowhere" in missing.stderr


@pytest.mark.usefixtures("nodes")
def test_a_missing_script_is_reported_before_anything_is_sent(project: Project) -> None:
    refused = project.run("up", "trian.py")
    assert refused.returncode == 2
    assert f"the project {project.folder} has no file trian.py" in refused.stderr
    assert "files to send" not in refused.stderr


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("deply",), "there is no command 'deply'\n    -> did you mean 'deploy'?"),
        (("zzz",), "use one of demo, init, up"),
        (("up", "--port", "99999"), "'99999' is not a port from 1024 to 65535"),
        (
            ("nodes", "--offline", "--workers", "127.0.0.1", "--on", "gpu7"),
            "the inventory has 127.0.0.1,master",
        ),
    ],
)
def test_a_mistyped_name_is_reported_with_suggestions(
    project: Project, words: tuple[str, ...], told: str
) -> None:
    refused = project.run(*words)
    assert refused.returncode == 2
    assert told in refused.stderr


def test_without_nodes_the_error_explains_how_to_name_them(project: Project) -> None:
    refused = project.run("up")
    assert refused.returncode == 2
    assert "--workers" in refused.stderr
    assert "dtui demo" in refused.stderr


def test_all_five_faults_of_an_inventory_are_reported(project: Project) -> None:
    project.write(
        "configs/nodes.yaml",
        "nodes:\n"
        "  - name: gpu1\n    adress: 192.168.1.101\n    address: 192.168.1.101\n"
        "  - name: gpu2\n    address: 192.168.1.102\n    port: 99999\n    transport: telnet\n"
        "  - name: gpu1\n    address: 192.168.1.103\n    password: hunter2\n",
    )
    refused = project.run("nodes", "--offline")
    assert refused.returncode == 2
    faults = [line for line in refused.stderr.splitlines() if "nodes.yaml:" in line]
    assert len(faults) == 5, refused.stderr
    for line, word in ((3, "address"), (7, "port"), (8, "transport"), (9, "gpu1"), (11, "password")):
        assert any(f"nodes.yaml:{line}:" in fault and word in fault for fault in faults), refused.stderr
    assert "hunter2" not in refused.stderr


@pytest.mark.parametrize(
    "words",
    [("nodes", "--offline", "--workers", "127.0.0.1"), ("lab", "--nodes", "1"), ("demo", "--headless")],
)
def test_a_folder_that_is_not_writable_is_named(project: Project, words: tuple[str, ...]) -> None:
    project.write(".dtui", "a file where the folder should be\n")
    project.write("dtui-demo", "likewise\n")
    refused = project.run(*words)
    assert refused.returncode == 1
    assert "Traceback" not in refused.stderr
    assert str(project.folder) in refused.stderr
    assert "can be written to" in refused.stderr


def test_workers_named_once_are_remembered(project: Project) -> None:
    named = project.run("nodes", "--offline", "--workers", "127.0.0.1")
    assert "127.0.0.1" in named.stdout
    assert "127.0.0.1" in project.run("nodes", "--offline").stdout


def test_the_console_asks_for_a_terminal(project: Project) -> None:
    refused = project.run()
    assert refused.returncode == 2
    assert "needs a terminal" in refused.stderr
