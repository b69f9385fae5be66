"""``dtui preflight`` and ``dtui forecast`` as a user types them, on loopback nodes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator

import pytest

from fleet.preflight import columns
from tests.cli.conftest import Project
from tests.support.leftover import leftover

pytestmark = pytest.mark.usefixtures("nodes")


@pytest.fixture
def orphan(project: Project) -> Iterator[subprocess.Popen[bytes]]:
    with leftover(project.folder) as process:
        yield process


def test_loopback_nodes_pass_and_the_table_shows_it(project: Project) -> None:
    project.write("train.py", "print(1)\n")
    done = project.run("preflight", "--check", "reach", "--check", "ports", "--check", "machine", "--pairs")
    assert done.returncode == 0, done.stderr
    assert "Ready to run: " in done.stdout
    assert "node1: agent: responds in" in done.stderr
    matrix = done.stdout[done.stdout.index("FROM") :].split("\n")
    assert [line.split() for line in matrix[1:4]] == [
        ["master", ".", "ok", "ok"],
        ["node1", "ok", ".", "ok"],
        ["node2", "ok", "ok", "."],
    ]


def test_one_check_of_one_node_as_json(project: Project) -> None:
    done = project.run("preflight", "--json", "--on", "node2", "--check", "clock")
    events = [json.loads(line) for line in done.stdout.splitlines()]
    cells = [event for event in events if event["event"] == "CheckFinished"]
    assert [(cell["node"], cell["check"], cell["status"]) for cell in cells] == [("node2", "clock", "ok")]
    assert not [event for event in events if event["event"] == "PairProbed"]


def test_a_wrong_name_of_a_check_is_answered_with_the_right_one(project: Project) -> None:
    done = project.run("preflight", "--check", "batery")
    assert done.returncode != 0
    assert "'battery'" in done.stderr


def test_the_list_of_checks_needs_no_node(project: Project) -> None:
    listed = project.run("preflight", "--list").stdout.splitlines()
    assert [line.split()[1] for line in listed] == [column.name for column in columns()]


def test_a_fix_is_shown_and_not_applied_without_a_yes(
    project: Project,
    orphan: subprocess.Popen[bytes],
) -> None:
    shown = project.run("preflight", "--on", "master", "--check", "leftovers", "--fix")
    assert f"end process {orphan.pid} of run run-old" in shown.stderr
    assert "[y/N]" in shown.stderr
    assert orphan.poll() is None

    agreed = subprocess.run(
        [sys.executable, "-m", "tui", "preflight", "--on", "master", "--check", "leftovers", "--fix"],
        cwd=project.folder,
        env={**os.environ, "XDG_CACHE_HOME": str(project.folder.parent / "cache")},
        input="y\n",
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert agreed.returncode == 0, agreed.stderr
    assert orphan.wait(10) != 0
    assert "leftovers: no processes of earlier runs" in agreed.stderr


def test_forecast_measures_and_shows_the_guide_beside_it(project: Project) -> None:
    done = project.run("forecast", "--parameters", "1M", "--step-seconds", "0.5", "--gpus", "4")
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert [line.split()[:2] for line in lines[2:6]] == [["1", "1"], ["4", "1"], ["8", "2"], ["12", "3"]]
    assert lines[3].endswith("3.5x")
    assert lines[4].endswith("6.5x")
    assert "Slowest link of the ring, measured: " in done.stdout
    refused = project.run("forecast")
    assert refused.returncode == 1
    assert "--parameters" in refused.stderr


def test_forecast_from_numbers_alone(project: Project) -> None:
    done = project.run(
        "forecast",
        "--json",
        "--parameters",
        "42M",
        "--step-seconds",
        "0.35",
        "--bandwidth",
        "940",
        "--gpus",
        "4",
    )
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    eight = {row["method"]: row["step_seconds"] for row in rows if row["gpus"] == 8}
    assert eight["low"] < eight["fp16"] < eight["fp32"]
