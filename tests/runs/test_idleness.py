"""Whether a process tree uses CPU or disk: with a fake clock, and the figures of real processes."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from agent.processes.identity import Identity, Usage
from agent.processes.idleness import Idleness
from agent.processes.system import usage


def test_a_tree_is_idle_from_the_last_use_on() -> None:
    now, figures = 0.0, {1: Usage(5.0, 100), 2: Usage(0.0, 0)}
    idleness = Idleness(Identity(1, "x"), clock=lambda: now, pids=lambda: list(figures), used=figures.get)
    assert idleness.seconds() == 0.0
    now = 2.0
    figures[1] = Usage(5.03, 50_000)
    assert idleness.seconds() == 2.0, "timers and small reports are no work"
    now = 4.0
    figures[2] = Usage(0.5, 0)
    assert idleness.seconds() == 0.0, "a child works"
    now = 10.0
    assert idleness.seconds() == 6.0
    now = 12.0
    figures[1] = Usage(5.03, 50_000_000)
    assert idleness.seconds() == 0.0, "it writes a file"
    now = 20.0
    figures[3] = Usage(0.0, 0)
    assert idleness.seconds() == 0.0, "a new child"
    now = 25.0
    assert idleness.seconds() == 5.0
    idleness.forget()
    assert idleness.seconds() == 0.0
    figures.clear()
    assert idleness.seconds() is None


def test_usage_counts_cpu_and_bytes_of_a_process(tmp_path: Path) -> None:
    program = """
import sys, time
print("ready", flush=True)
sys.stdin.readline()
end = time.process_time() + 0.3
while time.process_time() < end:
    pass
with open(sys.argv[1], "wb") as file:
    file.write(bytes(1 << 20))
print("done", flush=True)
sys.stdin.readline()
"""
    with subprocess.Popen(
        [sys.executable, "-c", program, str(tmp_path / "file")], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdout.readline()
        before = usage(process.pid)
        process.stdin.write(b"\n")
        process.stdin.flush()
        process.stdout.readline()
        after = usage(process.pid)
        process.stdin.close()
    assert before is not None
    assert after is not None
    assert after.cpu - before.cpu >= 0.25
    assert after.transferred - before.transferred >= 1 << 20
    assert usage(process.pid) is None


@pytest.mark.needs("posix")
def test_usage_of_a_process_of_another_user_has_at_least_the_cpu() -> None:
    found = usage(os.getpid())
    assert found is not None
    assert found.cpu > 0
    assert time.process_time() > 0
