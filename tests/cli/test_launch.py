"""``dtui launch`` starts what the master has, and a dry run changes and claims nothing."""

from __future__ import annotations

import json

import pytest

from fleet.runs import WatchOptions
from fleet.runs.steps import RunToEnd
from tests.cli.conftest import Project
from tui.cli.main import build_parser
from tui.cli.steps import start_of

OLD = "import os; print('old code on', os.environ['DTUI_NODE'], flush=True)\n"


@pytest.mark.usefixtures("nodes")
def test_a_launch_refuses_other_code_than_the_masters_on_a_single_node_too(project: Project) -> None:
    project.write("train.py", OLD)
    assert project.run("deploy", "train.py").returncode == 0
    launched = project.run("launch", "--on", "node1", "train.py")
    assert launched.returncode == 0, launched.stderr
    assert "old code on node1" in launched.stdout
    assert "deployed" not in launched.stderr.replace("deploys", ""), "nothing was deployed"

    project.write("train.py", OLD.replace("old", "new"))
    refused = project.run("launch", "--on", "node1", "train.py")
    assert refused.returncode == 1
    assert "node1: compare: 1 file not as on the master: train.py" in refused.stderr
    assert "`dtui up`" in refused.stderr
    assert "--force" in refused.stderr
    assert "old code" not in refused.stdout

    forced = project.run("launch", "--json", "--force", "--on", "node1", "train.py")
    assert forced.returncode == 0, forced.stderr
    events = [json.loads(line) for line in forced.stdout.splitlines()]
    assert "NodeDeployed" not in {event["event"] for event in events}
    warnings = [str(event["text"]) for event in events if event["event"] == "Notice"]
    assert any("train.py" in text for text in warnings)


@pytest.mark.usefixtures("nodes")
def test_a_dry_run_states_what_would_happen(project: Project) -> None:
    project.write("train.py", OLD)
    project.write("old.py", "1\n")
    assert project.run("deploy", "train.py").returncode == 0
    unchanged = project.run("up", "--dry-run", "train.py")
    assert unchanged.returncode == 0, unchanged.stderr
    assert unchanged.stderr.count("would change no file") == 3
    assert "would start 3 ranks (master 1, node1 1, node2 1), rendezvous at" in unchanged.stderr
    assert "python -u train.py" in unchanged.stderr

    project.write("new.py", "12345")
    (project.folder / "old.py").unlink()
    changed = project.run("up", "--dry-run", "--json", "train.py")
    events = [json.loads(line) for line in changed.stdout.splitlines()]
    assert not {"NodeDeployed", "RunPlanned", "RankStarted"} & {event["event"] for event in events}
    previews = {event["node"]: event for event in events if event["event"] == "DeployPreview"}
    for node in ("node1", "node2"):
        found = previews[node]
        assert (found["files_to_send"], found["bytes_to_send"], found["files_to_delete"]) == (1, 5, 1)
    (run,) = [event for event in events if event["event"] == "RunPreview"]
    assert run["world_size"] == 3

    deploy = project.run("deploy", "--dry-run", "--lang", "ko", "train.py")
    assert deploy.returncode == 0, deploy.stderr
    assert deploy.stderr.count("전송할 파일 1개, 5 B") == 2
    assert "시작할 rank" not in deploy.stderr
    assert project.run("status").stderr.count("no run was started") == 1


def test_a_limit_of_0_is_none_and_the_defaults_are_those_of_the_help() -> None:
    def limits(*options: str) -> WatchOptions:
        step = start_of(build_parser().parse_args(["launch", "train.py", *options]), {})
        assert isinstance(step, RunToEnd)
        return step.watching

    usual = limits()
    assert (usual.start_timeout, usual.stall_timeout, usual.unreachable_limit) == (600.0, None, 600.0)
    none = limits("--start-timeout", "0", "--stall-timeout", "0", "--node-timeout", "0")
    assert (none.start_timeout, none.stall_timeout, none.unreachable_limit) == (None, None, None)
    with pytest.raises(SystemExit):
        limits("--start-timeout=-1")
