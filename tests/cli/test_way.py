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
def test_up_goes_all_the_way_and_the_run_can_be_looked_at_afterwards(project: Project) -> None:
    project.write("train.py", COUNTING)
    done = project.run("up", "--script", "train.py", "--", "4", "0")
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
def test_a_killed_console_leaves_the_run_and_another_picks_it_up_whole(project: Project) -> None:
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
def test_a_failing_rank_is_named_and_the_exit_status_tells(project: Project) -> None:
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
def test_a_known_failure_is_explained_and_the_line_that_told_is_quoted(project: Project) -> None:
    project.write(
        "train.py",
        "import os, time\n"
        "if os.environ['RANK'] == '1': raise RuntimeError('CUDA out of memory. Tried to allocate 2 GiB')\n"
        "time.sleep(60)\n",
    )
    failed = project.run("up", "--script", "train.py")
    assert failed.returncode == 1
    assert "rank 1 (node1) ended with exit code 1: the GPU's memory is full" in failed.stderr
    assert "Tried to allocate 2 GiB" in failed.stderr
    assert "halve training.batch_size" in failed.stderr


@pytest.mark.usefixtures("nodes")
def test_json_prints_events_and_nothing_else_on_stdout(project: Project) -> None:
    project.write("train.py", COUNTING)
    done = project.run("up", "--json", "--script", "train.py", "--", "2", "0")
    events = [json.loads(line) for line in done.stdout.splitlines()]
    assert {"CheckFinished", "NodeDeployed", "RunPlanned", "RankStarted", "LogChunk", "RunFinished"} <= {
        event["event"] for event in events
    }
    assert events[-1]["outcome"] == "succeeded"


@pytest.mark.usefixtures("nodes")
def test_dry_run_tells_what_would_be_sent_and_started_and_changes_nothing(project: Project) -> None:
    project.write("train.py", COUNTING)
    shown = project.run("up", "--dry-run", "--script", "train.py")
    assert shown.returncode == 0, shown.stderr
    assert shown.stderr.count("would add train.py") == 2
    assert "world size 3" in shown.stderr
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


def test_a_node_that_is_off_stops_the_way_before_anything_is_sent(project: Project, nodes: Path) -> None:
    project.write("train.py", COUNTING)
    text = nodes.read_text("utf-8")
    nodes.write_text(re.sub(r"^    port: \d+", "    port: 9", text, count=1, flags=re.MULTILINE), "utf-8")
    failed = project.run("up", "--script", "train.py")
    assert failed.returncode == 1
    assert "node1: reach: the connection was refused" in failed.stderr
    assert "1 of 3 nodes did not pass the checks, so nothing was deployed: node1" in failed.stderr
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


@pytest.mark.usefixtures("nodes")
def test_a_script_that_the_project_does_not_have_is_told_before_anything_is_sent(project: Project) -> None:
    refused = project.run("up", "--script", "trian.py")
    assert refused.returncode == 2
    assert f"the project {project.folder} has no trian.py" in refused.stderr
    assert "--script" in refused.stderr
    assert "files to send" not in refused.stderr


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("deply",), "there is no command 'deply'; did you mean 'deploy'?"),
        (("zzz",), "there are demo, init, up"),
        (("up", "--port", "99999"), "'99999' is not a port from 1024 to 65535"),
        (
            ("nodes", "--offline", "--workers", "127.0.0.1", "--on", "gpu7"),
            "the inventory has 127.0.0.1,master",
        ),
    ],
)
def test_a_slip_of_the_fingers_is_told_with_what_there_is(
    project: Project, words: tuple[str, ...], told: str
) -> None:
    refused = project.run(*words)
    assert refused.returncode == 2
    assert told in refused.stderr


def test_without_any_node_named_the_way_out_is_told(project: Project) -> None:
    refused = project.run("up")
    assert refused.returncode == 2
    assert "--workers" in refused.stderr
    assert "dtui demo" in refused.stderr


def test_an_inventory_with_five_faults_tells_all_five(project: Project) -> None:
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
def test_a_folder_that_can_not_be_written_to_is_named(project: Project, words: tuple[str, ...]) -> None:
    project.write(".dtui", "a file where the folder should be\n")
    project.write("dtui-demo", "likewise\n")
    refused = project.run(*words)
    assert refused.returncode == 1
    assert "Traceback" not in refused.stderr
    assert str(project.folder) in refused.stderr
    assert "may be written to" in refused.stderr


def test_workers_named_once_are_remembered(project: Project) -> None:
    named = project.run("nodes", "--offline", "--workers", "127.0.0.1")
    assert "127.0.0.1" in named.stdout
    assert "127.0.0.1" in project.run("nodes", "--offline").stdout


def test_the_console_asks_for_a_terminal(project: Project) -> None:
    refused = project.run()
    assert refused.returncode == 2
    assert "needs a terminal" in refused.stderr
