"""The node's operations on runs, through a real agent and without the master's part."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from agent.processes import identify
from agent.supervisor.folder import RunFolder, read_status, write, write_status
from agent.supervisor.supervise import Supervisor
from agent.wire.message import NO_MESSAGE, message, to_data
from agent.wire.operations import OPERATIONS
from agent.wire.runs import RunStatus
from fleet.errors import OperationFailed
from fleet.link.client import AgentClient
from tests.runs.fleets import until
from tests.support.agents import local_agent


class NodeUnderTest:
    """An agent and a project folder."""

    def __init__(self, link: AgentClient, project: Path) -> None:
        self.link = link
        self.project = project

    async def call(self, op: str, **args: Any) -> Any:
        return await self.link.call(OPERATIONS[op], {"project": str(self.project), **args})

    async def start(self, *programs: str, run: str = "run-1", **more: Any) -> Any:
        ranks = [
            {"rank": rank, "local_rank": rank, "argv": ["{interpreter}", "-uc", text], "env": {}}
            for rank, text in enumerate(programs)
        ]
        options = {"interpreter": sys.executable, **more}
        return await self.call("start", run=run, node="gpu1", ranks=ranks, **options)

    async def ended(self, run: str = "run-1") -> Any:
        async with asyncio.timeout(120):
            return (await self.call("status", run=run, watch=True))["runs"][0]

    def file(self, name: str, run: str = "run-1") -> Path:
        return self.project / ".dtui" / "runs" / run / name


@pytest.fixture
async def node(tmp_path: Path, agent_python: str) -> AsyncIterator[NodeUnderTest]:
    (tmp_path / "project").mkdir()
    async with local_agent(agent_python) as link:
        yield NodeUnderTest(link, tmp_path / "project")


async def test_start_waits_for_all_ranks_and_records_how(node: NodeUnderTest) -> None:
    answer = await node.start("import time; time.sleep(100)", "import time; time.sleep(100)")
    assert (answer["state"], answer["method"], answer["tried"]) == ("running", "session", [])
    for rank in answer["ranks"]:
        assert identify(rank["pid"]).start_time == rank["start_time"]  # type: ignore[union-attr]
        assert os.getsid(rank["pid"]) == rank["pid"]
    assert os.getsid(answer["supervisor"]["pid"]) == answer["supervisor"]["pid"]


async def test_exit_codes_and_output_are_kept_as_they_were(node: NodeUnderTest) -> None:
    await node.start("import sys; print('to out'); sys.stderr.write('to err'); sys.exit(41)")
    status = await node.ended()
    assert (status["state"], status["ranks"][0]["exit_code"]) == ("failed", 41)
    assert node.file("rank-0.log").read_bytes() == b"to out\nto err"


async def test_a_rank_sees_its_run_and_reads_no_input(node: NodeUnderTest) -> None:
    program = (
        "import os, sys; print(os.environ['DTUI_RUN_ID'], os.environ['DTUI_NODE'], os.getcwd(), "
        "os.environ['DTUI_STOP_FILE'], repr(sys.stdin.read()))"
    )
    await node.start(program)
    await node.ended()
    expected = f"run-1 gpu1 {node.project} {node.file('stop')} ''\n"
    assert node.file("rank-0.log").read_text() == expected


@pytest.mark.parametrize("text", ["", "{", '{"run": 1}'])
def test_a_specification_that_cannot_be_loaded_does_not_cost_the_node_s_name(
    tmp_path: Path, text: str
) -> None:
    folder = RunFolder(str(tmp_path), "run-1")
    folder.create()
    announced: RunStatus = {
        "run": "run-1", "node": "gpu1", "state": "starting", "error": NO_MESSAGE, "supervisor": None,
        "ranks": [], "at": 0.0,
    }  # fmt: skip
    write_status(folder, announced)
    Path(folder.spec).write_text(text)
    me = identify(os.getpid())
    assert me is not None
    Supervisor(folder, me).run()
    status = read_status(folder)
    assert status is not None
    assert (status["node"], status["state"]) == ("gpu1", "failed")
    assert status["error"]["text"].startswith("spec.json is not valid: ")


async def test_the_interpreter_comes_from_the_environment_step(node: NodeUnderTest) -> None:
    with pytest.raises(OperationFailed, match="no training interpreter is known here"):
        await node.start("print(1)", interpreter=None)
    environment = {"kind": "existing", "interpreter": sys.executable}
    (node.project / ".dtui" / "environment.json").write_text(json.dumps(environment))
    await node.start("print(1)", interpreter=None, run="run-2")
    assert (await node.ended("run-2"))["state"] == "succeeded"


async def test_a_rank_that_cannot_start_takes_the_others_along(node: NodeUnderTest) -> None:
    sleeper = {
        "rank": 0,
        "local_rank": 0,
        "argv": [sys.executable, "-c", "import time; time.sleep(100)"],
        "env": {},
    }
    missing = {"rank": 1, "local_rank": 1, "argv": ["/no/such/program"], "env": {}}
    with pytest.raises(OperationFailed, match="rank 1: /no/such/program can't be started"):
        await node.call("start", run="run-1", node="gpu1", ranks=[sleeper, missing])
    status = (await node.call("status", run="run-1"))["runs"][0]
    assert status["state"] == "failed"
    assert identify(status["ranks"][0]["pid"]) is None


async def test_all_faults_of_a_request_are_told_at_once(node: NodeUnderTest) -> None:
    ranks = [
        {"rank": 0, "local_rank": 0, "argv": [], "env": {}},
        {"rank": 0, "local_rank": 1, "argv": ["a\0b"], "env": {}},
    ]
    with pytest.raises(OperationFailed) as caught:
        await node.call("start", run="run-1", node="gpu1", ranks=ranks)
    for fault in ("`ranks[0]` has no command", "`ranks[1]` has a NUL", "a rank is in `ranks` twice"):
        assert fault in caught.value.what
    with pytest.raises(OperationFailed, match=r"ranks\[0\]\.argv\[0\]: expected a string, got 1") as caught:
        await node.call("start", run="run-1", node="gpu1", ranks=[{**ranks[0], "argv": [1]}])
    assert caught.value.code == "bad-request"
    assert not (node.project / ".dtui").exists()


@pytest.mark.parametrize("run", ["../evil", "a/b", "", ".."])
async def test_a_run_id_cannot_lead_elsewhere(node: NodeUnderTest, run: str) -> None:
    requests: list[tuple[str, dict[str, Any]]] = [
        ("start", {"node": "gpu1", "ranks": []}),
        ("status", {}),
        ("stop", {"grace": 0}),
    ]
    for op, args in requests:
        with pytest.raises(OperationFailed) as caught:
            await node.call(op, run=run, **args)
        assert caught.value.code == "path"


async def test_a_console_that_leaves_during_the_start_leaves_no_rank(node: NodeUnderTest) -> None:
    text = "import time; time.sleep(100)"
    rank = {"rank": 0, "local_rank": 0, "argv": [sys.executable, "-c", text], "env": {}}
    async with node.link.request(
        OPERATIONS["start"], {"project": str(node.project), "run": "run-1", "node": "gpu1", "ranks": [rank]}
    ):
        await until(node.file("status.json").exists)
    status = await node.ended()
    assert status["state"] == "stopped"
    assert not any(identify(rank["pid"]) for rank in status["ranks"])


async def test_a_second_stop_shortens_the_first(node: NodeUnderTest) -> None:
    await node.start("import time; time.sleep(100)")
    patient = asyncio.create_task(node.call("stop", run="run-1", grace=300))
    await until(node.file("stop").exists)
    begun = time.monotonic()
    answer = await node.call("stop", run="run-1", grace=0)
    assert time.monotonic() - begun < 200  # the first one's grace is 300
    assert answer["left"] == []
    assert (await patient)["status"]["state"] == "stopped"


async def test_stop_without_a_word_waits_as_long_as_the_start_said(node: NodeUnderTest) -> None:
    await node.start("import time; time.sleep(100)", grace=0.2)
    answer = await node.call("stop", run="run-1")
    assert answer["status"]["state"] == "stopped"
    assert [process["rank"] for process in answer["ended"]] == [0]


async def test_a_supervisor_that_is_told_to_end_ends_its_ranks(node: NodeUnderTest) -> None:
    """As a machine that shuts down does."""
    answer = await node.start("import time; time.sleep(100)", grace=0.1)
    os.kill(answer["supervisor"]["pid"], signal.SIGTERM)
    assert (await node.ended())["state"] == "stopped"
    assert identify(answer["ranks"][0]["pid"]) is None


async def test_orphans_are_listed_first_and_ended_on_request(node: NodeUnderTest) -> None:
    child = "subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(99)'])"
    answer = await node.start(f"import subprocess, sys, time; {child}; print('up'); time.sleep(100)")
    await until(lambda: node.file("rank-0.log").read_bytes())
    os.kill(answer["supervisor"]["pid"], signal.SIGKILL)
    await until(lambda: identify(answer["supervisor"]["pid"]) is None)
    found = await node.call("sweep", end=False)
    assert len(found["orphans"]) == 2
    assert {orphan["run"] for orphan in found["orphans"]} == {"run-1"}
    assert identify(answer["ranks"][0]["pid"]) is not None
    swept = await node.call("sweep", end=True)
    assert (len(swept["ended"]), swept["left"]) == (2, [])
    assert (await node.call("sweep"))["orphans"] == []
    assert (await node.call("status", run="run-1"))["runs"][0]["state"] == "stopped"


async def test_a_sweep_spares_a_process_that_got_the_pid_of_an_earlier_rank(node: NodeUnderTest) -> None:
    answer = await node.start("import time; time.sleep(100)")
    status = json.loads(node.file("status.json").read_text())
    status["state"] = "failed"
    status["ranks"][0]["start_time"] += "0"
    earlier = node.project / ".dtui" / "runs" / "run-0"
    earlier.mkdir()
    (earlier / "status.json").write_text(json.dumps(status))
    assert (await node.call("sweep", end=True))["orphans"] == []
    assert identify(answer["ranks"][0]["pid"]) is not None


async def test_a_live_run_is_no_orphan_and_blocks_another(node: NodeUnderTest) -> None:
    await node.start("import time; time.sleep(100)")
    assert (await node.call("sweep", end=True))["orphans"] == []
    with pytest.raises(OperationFailed, match="run run-1 is under way") as caught:
        await node.start("print(1)", run="run-2")
    assert caught.value.code == "busy"
    assert [run["run"] for run in (await node.call("status"))["runs"]] == ["run-1"], "it left no trace"


async def test_an_orphan_blocks_another_run_too(node: NodeUnderTest) -> None:
    answer = await node.start("import time; time.sleep(100)")
    os.kill(answer["supervisor"]["pid"], signal.SIGKILL)
    await until(lambda: identify(answer["supervisor"]["pid"]) is None)
    with pytest.raises(OperationFailed, match="has lost its supervisor, and 1 of its processes"):
        await node.start("print(1)", run="run-2")


async def test_of_two_starts_at_once_at_most_one_goes_on(node: NodeUnderTest) -> None:
    text = "import time; time.sleep(100)"
    answers = await asyncio.gather(
        *(node.start(text, run=f"run-{number}") for number in range(4)), return_exceptions=True
    )
    assert all(getattr(answer, "code", "busy") == "busy" for answer in answers)
    running = [run["run"] for run in (await node.call("status"))["runs"] if run["state"] == "running"]
    assert len(running) == sum(isinstance(answer, dict) for answer in answers) <= 1


async def test_of_two_supervisors_of_a_run_the_second_leaves(node: NodeUnderTest) -> None:
    answer = await node.start("import time; time.sleep(100)")
    archive = next((node.project.parent / "cache" / "dtui").glob("agent-*.pyz"))
    second = await asyncio.create_subprocess_exec(
        sys.executable, "-I", str(archive), "supervise", str(node.file("."))
    )
    assert await second.wait() == 1
    status = (await node.call("status", run="run-1"))["runs"][0]
    assert status["supervisor"] == answer["supervisor"]


def test_the_error_of_a_run_is_a_message_and_that_of_an_earlier_version_is_read(tmp_path: Path) -> None:
    folder = RunFolder(str(tmp_path), "run-1")
    folder.create()
    stored = {"run": "run-1", "node": "n", "state": "failed", "error": "x", "ranks": [], "at": 0.0}
    write(folder.status, {**stored, "supervisor": None})
    status = read_status(folder)
    assert status is not None
    assert status["error"] == {"id": "", "args": {}, "text": "x"}
    error = to_data(message("spec.no-interpreter", "there is no interpreter at {path}", path="/x"))
    write_status(folder, {**status, "error": error})
    assert read_status(folder) == {**status, "error": error}


async def test_what_a_program_puts_in_the_way_is_no_fault_of_dtui(node: NodeUnderTest) -> None:
    await node.start("import time; time.sleep(100)")
    request = node.project / ".dtui" / "runs" / "run-1" / "observer" / "stacks.request"
    request.mkdir()
    with pytest.raises(OperationFailed, match=r"stacks\.request: ") as caught:
        await node.call("stacks", run="run-1")
    assert caught.value.code == "filesystem"
    assert "report it" not in caught.value.remedy


ESCAPES = """
import os, subprocess, sys, time
clean = {name: value for name, value in os.environ.items() if not name.startswith("DTUI_")}
sleep = [sys.executable, "-c", "import time; time.sleep(99)"]
child = subprocess.Popen(sleep, env=clean, start_new_session=True)
print(child.pid, flush=True)
"""


async def test_what_a_rank_put_into_its_own_session_and_environment_ends_with_the_run(
    node: NodeUnderTest,
) -> None:
    await node.start(ESCAPES)
    assert (await node.ended())["state"] == "succeeded"
    assert identify(int(node.file("rank-0.log").read_text())) is None


async def test_a_sweep_finds_it_by_its_record_when_the_supervisor_was_killed(node: NodeUnderTest) -> None:
    answer = await node.start(ESCAPES + "time.sleep(99)")
    await until(lambda: node.file("processes.json").exists() and node.file("rank-0.log").read_bytes())
    child = int(node.file("rank-0.log").read_text())
    await until(lambda: str(child) in node.file("processes.json").read_text())
    os.kill(answer["supervisor"]["pid"], signal.SIGKILL)
    os.kill(answer["ranks"][0]["pid"], signal.SIGKILL)
    await until(lambda: identify(answer["ranks"][0]["pid"]) is None)
    await until(lambda: identify(answer["supervisor"]["pid"]) is None)
    found = await node.call("sweep", end=False)
    assert [(one["pid"], one["rank"]) for one in found["orphans"]] == [(child, 0)]
    swept = await node.call("sweep", end=True)
    assert ([one["pid"] for one in swept["ended"]], swept["left"]) == ([child], [])
    assert identify(child) is None


@pytest.mark.needs("posix")
async def test_a_sweep_finds_processes_of_a_run_whose_folder_was_deleted(node: NodeUnderTest) -> None:
    answer = await node.start("import time; time.sleep(99)")
    pid = answer["ranks"][0]["pid"]
    os.kill(answer["supervisor"]["pid"], signal.SIGKILL)
    await until(lambda: identify(answer["supervisor"]["pid"]) is None)
    while node.file(".").exists():  # the rank's observer may write into it meanwhile
        shutil.rmtree(node.file("."), ignore_errors=True)
    swept = await node.call("sweep", end=True)
    assert [(one["run"], one["pid"]) for one in swept["ended"]] == [("run-1", pid)]
    assert identify(pid) is None


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        '{"processes": 1}',
        '{"processes": [{"pid": "1"}]}',
        '{"processes": [{"pid": 1}]}',
        "NaN",
    ],
)
async def test_a_record_of_processes_that_a_rank_has_overwritten_is_no_error(
    node: NodeUnderTest, text: str
) -> None:
    await node.start("print(1)")
    await node.ended()
    node.file("processes.json").write_text(text)
    assert (await node.call("sweep", end=True))["orphans"] == []


async def test_a_record_with_another_start_time_does_not_end_a_process(node: NodeUnderTest) -> None:
    await node.start("print(1)")
    await node.ended()
    me = {"rank": 0, "name": "x", "pid": os.getppid(), "start_time": "earlier"}
    node.file("processes.json").write_text(json.dumps({"processes": [me]}))
    assert (await node.call("sweep", end=True))["orphans"] == []


async def test_why_a_run_is_lost_is_told_apart(node: NodeUnderTest) -> None:
    answer = await node.start("import time; time.sleep(99)")
    for pid in (answer["supervisor"]["pid"], answer["ranks"][0]["pid"]):
        os.kill(pid, signal.SIGKILL)
        await until(lambda pid=pid: identify(pid) is None)
    (killed,) = (await node.call("status", run="run-1"))["runs"]
    assert (killed["state"], killed["error"]["text"]) == ("lost", "its supervisor was killed")
    assert killed["ranks"][0]["exited_at"] == killed["at"]
    assert (killed["ranks"][0]["exit_code"], killed["ranks"][0]["stopped"]) == (None, False)
    status = json.loads(node.file("status.json").read_text())
    for who in (status["supervisor"], status["ranks"][0]):
        who["start_time"] = "0123abcd-" + who["start_time"].partition("-")[2]  # of an earlier boot
    node.file("status.json").write_text(json.dumps(status))
    (restarted,) = (await node.call("status", run="run-1"))["runs"]
    assert "the machine has restarted since" in restarted["error"]["text"]
    assert (await node.call("stop", run="run-1", grace=0))["status"]["state"] == "failed"


@pytest.mark.needs("root")
async def test_a_disk_that_the_log_fills_is_named_and_everything_ends(
    node: NodeUnderTest, tmp_path: Path
) -> None:
    small = tmp_path / "small"
    small.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "none", str(small)], check=True)
    try:
        node.project = small / "project"
        node.project.mkdir()
        await node.start("while True: print('x' * 1000)", "import time; time.sleep(99)")
        status = await node.ended()
        assert status["state"] == "failed"
        assert status["error"]["text"] == "the disk of gpu1 is full"
        assert [rank["stopped"] for rank in status["ranks"]] == [False, True]
        assert all(identify(rank["pid"]) is None for rank in status["ranks"])
        assert (await node.call("stop", run="run-1"))["left"] == []
    finally:
        subprocess.run(["umount", "-l", str(small)], check=True)


@pytest.mark.needs("root")
async def test_a_run_on_a_full_disk_can_be_stopped(node: NodeUnderTest, tmp_path: Path) -> None:
    small = tmp_path / "small"
    small.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "none", str(small)], check=True)
    try:
        node.project = small / "project"
        node.project.mkdir()
        answer = await node.start("import time; time.sleep(99)")
        with suppress(OSError), (node.project / "filler").open("wb") as filler:
            while True:
                filler.write(b"x" * 65_536)
                filler.flush()
        stopped = await node.call("stop", run="run-1", grace=0)
        assert (stopped["status"]["state"], stopped["left"]) == ("stopped", [])
        assert identify(answer["ranks"][0]["pid"]) is None
        assert (await node.call("status", run="run-1"))["runs"][0]["state"] == "stopped"
    finally:
        subprocess.run(["umount", "-l", str(small)], check=True)
