"""The observer in real interpreters: what it reports, and that programs run as they do without it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import pytest

from agent.observer import report
from agent.observer.install import install, path_with
from agent.wire.runs import Observed
from tests.support.ports import free_port

T = TypeVar("T")
DEADLINE = 180.0


@pytest.fixture
def folder(tmp_path: Path) -> str:
    return install(str(tmp_path / "run"))


def environment(folder: str, rank: int = 0, **more: str) -> dict[str, str]:
    env = {**os.environ, "RANK": str(rank), **more}
    return {**env, "PYTHONPATH": path_with(folder, env)}


@contextmanager
def rank_of(folder: str, program: str, *options: str, **more: str) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, *options, "-c", program],
        env=environment(folder, **more), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def run(folder: str, program: str, **more: str) -> str:
    return subprocess.run(
        [sys.executable, "-c", program], env=environment(folder, **more),
        capture_output=True, text=True, check=True, timeout=DEADLINE,
    ).stdout  # fmt: skip


def until(look: Callable[[], T | None]) -> T:
    end = time.monotonic() + DEADLINE
    while (found := look()) is None:
        assert time.monotonic() < end
        time.sleep(0.02)
    return found


def seen(folder: str, condition: Callable[[Observed], bool], rank: int = 0) -> Observed:
    def look() -> Observed | None:
        found = report.read(folder, rank, time.time())
        return found if found is not None and condition(found) else None

    return until(look)


def in_function(found: Observed, name: str) -> bool:
    return any(frame["function"] == name for frame in found["frames"])


WAITING = """
def train_step():
    input()
train_step()
"""


def test_the_line_on_which_a_rank_waits_is_reported(folder: str) -> None:
    with rank_of(folder, WAITING):
        found = seen(folder, lambda found: in_function(found, "train_step"))
    assert found["frames"][0] == {"file": "<string>", "line": 3, "function": "train_step"}
    assert (found["phase"], found["stuck"], found["collective"]) == ("interpreter", False, False)


def test_stacks_of_all_threads_are_written_on_request(folder: str) -> None:
    program = "import threading\nt = threading.Thread(target=input, name='reader')\nt.start()\nt.join()\n"
    with rank_of(folder, program):
        seen(folder, lambda found: len(found["frames"]) > 0)
        Path(folder, "stacks.request").write_text("7")
        answer = Path(folder, "stacks-0.json")
        stacks = json.loads(until(lambda: answer.read_text() if answer.exists() else None))
    assert stacks["number"] == "7"
    assert {stack["thread"] for stack in stacks["stacks"]} == {"MainThread", "reader"}


HOLDS_THE_GIL = """
import ctypes
def hold():
    ctypes.PyDLL(None).sleep(40)
hold()
"""


@pytest.mark.needs("posix")
def test_a_rank_that_holds_the_gil_is_reported_with_its_line(folder: str) -> None:
    with rank_of(folder, HOLDS_THE_GIL):
        # As if 20 s had passed: the report is stale, and faulthandler has written meanwhile.
        stuck = Path(folder, "rank-0.stuck.txt")
        until(lambda: True if stuck.exists() and "hold" in stuck.read_text() else None)
        found = report.read(folder, 0, time.time() + 20)
    assert found is not None
    assert found["stuck"]
    assert found["frames"][0] == {"file": "<string>", "line": 4, "function": "hold"}


def write_sparse(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(1 << 30)


@pytest.mark.needs("posix")
@pytest.mark.parametrize("spoil", [os.mkfifo, write_sparse])
def test_a_program_cannot_break_the_reader_of_its_stack(folder: str, spoil: Callable[[Path], None]) -> None:
    with rank_of(folder, WAITING):
        seen(folder, lambda found: in_function(found, "train_step"))
    stuck = Path(folder, "rank-0.stuck.txt")
    stuck.unlink()
    spoil(stuck)
    found = report.read(folder, 0, time.time() + 20)
    assert found is not None
    assert found["stuck"]
    assert in_function(found, "train_step")


def test_children_are_not_observed_and_keep_their_own_path(folder: str, tmp_path: Path) -> None:
    program = """
import os, subprocess, sys
child = "import sys, os; print('sitecustomize' in sys.modules, os.environ.get('PYTHONPATH'), flush=True)"
print(os.environ.get("PYTHONPATH"), flush=True)
subprocess.run([sys.executable, "-S", "-c", child])
"""
    mine = str(tmp_path / "mine")
    assert run(folder, program, PYTHONPATH=mine).splitlines() == [mine, f"False {mine}"]
    assert run(folder, program, PYTHONPATH="").splitlines() == ["None", "False None"]
    assert folder not in run(folder, "import sys; print(sys.path)")


def test_a_launcher_without_a_rank_hands_the_path_on(folder: str) -> None:
    env = {name: value for name, value in environment(folder).items() if name != "RANK"}
    told = subprocess.run(
        [sys.executable, "-c", "import os; print(os.environ['PYTHONPATH'])"],
        env=env,
        capture_output=True,
        text=True,
    ).stdout
    assert folder in told
    assert not Path(folder, "rank-0.json").exists()


def test_a_sitecustomize_behind_it_still_runs(folder: str, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    (other / "sitecustomize.py").write_text("import sys\nsys.told = __file__\n")
    program = "import sys, sitecustomize; print(sys.told); print(sitecustomize.__file__)"
    assert run(folder, program, PYTHONPATH=str(other)).splitlines() == [str(other / "sitecustomize.py")] * 2


@pytest.mark.parametrize("option", ["-I", "-E"])
def test_an_interpreter_that_ignores_the_path_runs_unobserved(folder: str, option: str) -> None:
    with rank_of(folder, "print(1, flush=True)", option) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "1\n"
        assert process.wait(DEADLINE) == 0
    assert report.read(folder, 0, time.time()) is None


FORKS = """
import os, multiprocessing as mp, sys, time
def work(value):
    return value * 2
if __name__ == "__main__":
    with mp.get_context(sys.argv[-1] if len(sys.argv) > 1 else "fork").Pool(2) as pool:
        print(sum(pool.map(work, range(100))))
"""


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_multiprocessing_works(folder: str, tmp_path: Path, method: str) -> None:
    script = tmp_path / "script.py"
    script.write_text(FORKS)
    done = subprocess.run(
        [sys.executable, str(script), method],
        env=environment(folder),
        capture_output=True,
        text=True,
        timeout=DEADLINE,
    )
    assert (done.stdout, done.stderr) == ("9900\n", "")
    pid = json.loads(Path(folder, "rank-0.json").read_text())["pid"]
    assert [path.name for path in Path(folder).glob("rank-*.json*")] == ["rank-0.json"]
    assert pid


def test_a_program_with_its_own_excepthook_and_timer_keeps_them(folder: str) -> None:
    program = """
import faulthandler, sys, time
sys.excepthook = lambda *found: print("mine", found[0].__name__, flush=True)
out = open(sys.argv[0] if len(sys.argv) > 1 else "/dev/null", "w")
faulthandler.dump_traceback_later(600, file=out)
time.sleep(1.5)
import gc
faulthandler.cancel_dump_traceback_later()
raise ValueError
"""
    done = subprocess.run(
        [sys.executable, "-c", program],
        env=environment(folder),
        capture_output=True,
        text=True,
        timeout=DEADLINE,
    )
    assert done.returncode == 1
    assert done.stdout == "mine ValueError\n"
    assert done.stderr == ""


@pytest.mark.parametrize("spoiled", ["folder is gone", "read only"])
def test_a_program_runs_when_the_observer_can_not_write(folder: str, spoiled: str) -> None:
    program = f"""
import os, shutil, time
shutil.rmtree({folder!r})
{"open(" + repr(folder) + ", 'w').close()" if spoiled == "read only" else ""}
time.sleep(2.5)
print("done")
"""
    done = subprocess.run(
        [sys.executable, "-c", program],
        env=environment(folder),
        capture_output=True,
        text=True,
        timeout=DEADLINE,
    )
    assert (done.stdout, done.stderr, done.returncode) == ("done\n", "", 0)


JOINS = """
import torch, torch.distributed as dist
dist.init_process_group("gloo")
tensor = torch.ones(3)
dist.all_reduce(tensor)
if dist.get_rank() == 1:
    input()
dist.all_reduce(tensor)
"""


def ranks(folder: str, count: int, world: int, port: int) -> list[subprocess.Popen[str]]:
    more = {"WORLD_SIZE": str(world), "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    return [
        subprocess.Popen(
            [sys.executable, "-c", JOINS],
            env=environment(folder, rank, **more),
            stdin=subprocess.PIPE,
            text=True,
        )
        for rank in range(count)
    ]


@pytest.mark.torch
def test_the_wait_for_the_others_is_seen(folder: str) -> None:
    port = free_port()
    processes = ranks(folder, 1, 2, port)
    try:
        found = seen(folder, lambda found: found["phase"] == "joining")
        assert found["store"] == f"127.0.0.1:{port}"
    finally:
        for process in processes:
            process.kill()
            process.communicate()


@pytest.mark.torch
def test_a_collective_that_one_rank_has_not_reached_is_seen_with_the_recorder(folder: str) -> None:
    processes = ranks(folder, 2, 2, free_port())
    try:
        waits = seen(folder, lambda found: found["phase"] == "joined" and found["collective"], 0)
        missing = seen(
            folder, lambda found: found["phase"] == "joined" and found["frames"][0]["file"] == "<string>", 1
        )
        assert [frame["line"] for frame in waits["frames"] if frame["file"] == "<string>"] == [8]
        assert missing["frames"][0]["line"] == 7
        Path(folder, "stacks.request").write_text("1")
        counts = []
        for rank in range(2):
            answer = Path(folder, f"stacks-{rank}.json")
            stacks = json.loads(until(lambda answer=answer: answer.read_text() if answer.exists() else None))
            entries: list[dict[str, Any]] = json.loads(stacks["recorder"])["entries"]
            counts.append(max(entry["collective_seq_id"] for entry in entries))
        assert counts[0] == counts[1] + 1
    finally:
        for process in processes:
            process.kill()
            process.communicate()


def test_the_observer_does_not_spin(folder: str) -> None:
    program = """
import threading, time
time.sleep(6)
(thread,) = [one for one in threading.enumerate() if one.name == "dtui-observer"]
print(time.clock_gettime(time.pthread_getcpuclockid(thread.ident)))
"""
    # It uses about 10 ms; on a busy machine several times as much. A thread that spins uses seconds.
    assert float(run(folder, program)) < 0.5
