"""Processes are known by pid and start time, and ended with all that they started."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from agent.processes import Group, Identity, alive, end, identify, members
from tests.runs.fleets import wait_until

Start = Callable[..., subprocess.Popen[bytes]]

SLEEP = "import time; time.sleep(100)"
#: Starts children as told, writes their pids into a file, and waits.
PARENT = """
import subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(100)"], start_new_session={session})
open(sys.argv[1] + ".new", "w").write(str(child.pid))
import os; os.replace(sys.argv[1] + ".new", sys.argv[1])
{then}
"""


@pytest.fixture
def start() -> Iterator[Start]:
    started = []

    def run(program: str, *args: str, **options: object) -> subprocess.Popen[bytes]:
        process = subprocess.Popen([sys.executable, "-c", program, *args], **options)  # type: ignore[call-overload]
        started.append(process)
        return process

    yield run
    for process in started:
        process.kill()
        process.wait()


def identity(process: subprocess.Popen[bytes]) -> Identity:
    found = identify(process.pid)
    assert found is not None
    return found


def child_of(path: Path) -> Identity:
    wait_until(path.exists)
    found = identify(int(path.read_text()))
    assert found is not None
    return found


def test_a_process_that_ended_is_not_alive_even_as_a_zombie(start: Start) -> None:
    process = start(SLEEP)
    who = identity(process)
    assert alive(who)
    os.kill(process.pid, signal.SIGKILL)
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)  # it has ended, and nobody has reaped it
    assert not alive(who)
    assert identify(process.pid) is None


def test_another_process_under_the_same_pid_is_neither_alive_nor_ended(start: Start) -> None:
    process = start(SLEEP, start_new_session=True)
    earlier = Identity(process.pid, identity(process).start_time + "0")
    assert not alive(earlier)
    assert members(earlier) == []
    assert end([earlier], timeout=0.0) == ([], [])
    assert process.poll() is None


@pytest.mark.parametrize("session", [False, True])
def test_a_tree_is_ended_with_its_grandchildren(start: Start, tmp_path: Path, session: bool) -> None:
    program = PARENT.format(session=session, then="time.sleep(100)")
    process = start(program, str(tmp_path / "pid"), start_new_session=True)
    child = child_of(tmp_path / "pid")
    root = identity(process)
    assert {one.identity for one in members(root)} == {root, child}
    outcome = end([root])
    assert (set(outcome.ended), outcome.left) == ({root, child}, [])
    assert process.wait() == -signal.SIGTERM
    assert not alive(child)


def test_who_ignores_the_request_is_ended_by_force(start: Start, tmp_path: Path) -> None:
    program = """
import pathlib, signal, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
pathlib.Path(sys.argv[1]).touch()
time.sleep(100)
"""
    process = start(program, str(tmp_path / "ready"))
    wait_until((tmp_path / "ready").exists)
    assert end([identity(process)], timeout=0.1).left == []
    assert process.wait() == -signal.SIGKILL


def test_what_a_dead_leader_left_is_found_by_session_and_mark_only(start: Start, tmp_path: Path) -> None:
    environment = {**os.environ, "DTUI_RUN_ID": "run-7"}
    program = PARENT.format(session=False, then="time.sleep(100)")
    process = start(program, str(tmp_path / "pid"), start_new_session=True, env=environment)
    child = child_of(tmp_path / "pid")
    root = identity(process)
    process.kill()
    process.wait()
    assert members(root, "DTUI_RUN_ID=run-8") == [], "somebody else's session under a pid used again"
    assert [one.identity for one in members(root, "DTUI_RUN_ID=run-7")] == [child]
    assert end([root], mark="DTUI_RUN_ID=run-7") == ([child], [])


def test_a_group_ends_what_its_first_process_left_behind(tmp_path: Path) -> None:
    pid_file = tmp_path / "pid"
    program = PARENT.format(session=False, then="sys.exit(3)")
    with (tmp_path / "log").open("wb") as output:
        group = Group.start(
            [sys.executable, "-c", program, str(pid_file)],
            cwd=str(tmp_path),
            env=dict(os.environ),
            output=output,
        )
    assert group.wait(20) == 3
    child = child_of(pid_file)
    assert group.end() == ([child], [])
    assert not alive(child)
