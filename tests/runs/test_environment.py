"""Ranks start from a fresh login of their node, whatever started dtui or its agents."""

from __future__ import annotations

import json
import os
import pwd
import sys
import venv
from contextlib import suppress
from pathlib import Path

import psutil
import pytest
from msgspec.structs import replace

from agent.environments.activation import activated
from agent.environments.login import login
from fleet.events import MetricsSeen, Notice
from fleet.inventory import Inventory
from fleet.inventory.model import DataSettings
from fleet.plan.project_run import plan_project_run
from fleet.runs import launch, run_to_end
from fleet.runs.launch import LaunchFailed
from fleet.runs.store import RunStore
from tests.runs.fleets import (
    PRELUDE,
    collect,
    finish,
    fleet_of,
    inventory,
    of,
    output,
    plan_of,
    project,
    wait_until,
)
from tests.support import wire
from tests.support.sshd import OpenSshServer

TELLS = """
import shutil
names = ("PATH", "VIRTUAL_ENV", "PYTHONHOME", "CONDA_PREFIX")
told = {name: os.environ.get(name) for name in names}
(HERE / "told.json").write_text(json.dumps({**told, "python": shutil.which("python"), "prefix": sys.prefix}))
"""
WHOLE = """(HERE / f"told-{RANK}.json").write_text(json.dumps(dict(os.environ)))"""
#: What gives a rank its place, and the paths of its run on its node.
OF_RANK = {
    "RANK", "LOCAL_RANK", "ROLE_RANK", "GROUP_RANK", "NODE_RANK", "DTUI_NODE", "DTUI_STOP_FILE",
    "TORCHELASTIC_ERROR_FILE", "PYTHONPATH", "PWD",
}  # fmt: skip


async def run(nodes: Inventory) -> None:
    async with fleet_of(nodes) as fleet:
        events = await collect(run_to_end(fleet, plan_of(nodes)))
        assert finish(events).outcome == "succeeded", [str(event) for event in of(events, Notice)]


def told(nodes: Inventory, node: str, rank: int) -> dict[str, str]:
    path = Path(nodes.node(node).project) / f"told-{rank}.json"
    return json.loads(path.read_text())  # type: ignore[no-any-return]


async def test_the_environments_programs_come_first_and_no_other_environment_leaks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VIRTUAL_ENV", "/elsewhere")
    monkeypatch.setenv("CONDA_PREFIX", "/elsewhere")
    monkeypatch.setenv("PYTHONHOME", sys.base_prefix)
    venv.create(tmp_path / "env", symlinks=True)
    python = str(tmp_path / "env" / "bin" / "python")
    nodes = inventory(tmp_path, TELLS, master=1)
    await run(replace(nodes, master=replace(nodes.master, interpreter=python)))
    found = json.loads((Path(nodes.master.project) / "told.json").read_text())
    assert found["python"] == python
    assert found["prefix"] == found["VIRTUAL_ENV"] == str(tmp_path / "env")
    assert found["PATH"].startswith(f"{tmp_path / 'env' / 'bin'}{os.pathsep}")
    assert found["CONDA_PREFIX"] is None
    assert found["PYTHONHOME"] is None


async def test_the_users_own_path_stands(tmp_path: Path) -> None:
    nodes = inventory(tmp_path, TELLS, master=1)
    await run(replace(nodes, run=replace(nodes.run, env=(("PATH", "/own"),))))
    assert json.loads((Path(nodes.master.project) / "told.json").read_text())["PATH"] == "/own"


def test_an_interpreter_outside_of_any_environment_sets_none(tmp_path: Path) -> None:
    found = activated({"PATH": "/usr/bin"}, str(tmp_path / "bin" / "python"))
    assert found == {"PATH": f"{tmp_path / 'bin'}{os.pathsep}/usr/bin"}


def test_a_conda_environment_is_activated_as_such(tmp_path: Path) -> None:
    (tmp_path / "conda-meta").mkdir()
    found = activated({"PATH": "/usr/bin"}, str(tmp_path / "bin" / "python"))
    assert found["CONDA_PREFIX"] == str(tmp_path)
    assert "VIRTUAL_ENV" not in found


async def test_rank_0_has_the_variables_of_a_worker_that_real_ssh_reaches(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "home"
    (home / ".profile").write_text("export FROM_PROFILE=yes\nexport PYTHONPATH=/other\necho noise\n")
    shell = {"HF_HOME": "/shell", "http_proxy": "http://127.0.0.1:9", "CUDA_VISIBLE_DEVICES": "7"}
    for name, value in shell.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("TERM", "xterm-of-the-shell")
    # sshd gives its sessions variables that no shell of the master has.
    own = {"HOME": str(home), "OF_SSHD": "yes"}
    with OpenSshServer(tmp_path / "sshd", variables=own) as server:
        nodes = inventory(tmp_path, WHOLE, master=1, worker=2)
        worker = replace(
            nodes.workers[0],
            address=server.host,
            transport="ssh",
            port=server.port,
            user=server.user,
            identity=server.identity,
        )
        nodes = replace(nodes, workers=(worker,))
        known = nodes.project / ".dtui" / "known_hosts"
        known.parent.mkdir()
        known.write_text(server.known_hosts_line())
        await run(nodes)
    ranks = [told(nodes, "master", 0), told(nodes, "worker", 1), told(nodes, "worker", 2)]
    threads = {"OMP_NUM_THREADS", "LOCAL_WORLD_SIZE"}  # the nodes have one and two ranks
    same = [{name: v for name, v in rank.items() if name not in OF_RANK | threads} for rank in ranks]
    assert same[0] == same[1] == same[2]
    assert same[0]["FROM_PROFILE"] == "yes"
    assert same[0]["HOME"] == str(home)
    assert not {"OF_SSHD", "TERM", "SSH_CONNECTION", *shell} & set(same[0])
    assert "/other" not in ranks[0].get("PYTHONPATH", "")


async def test_values_are_resolved_on_each_node_and_the_most_specific_one_wins(tmp_path: Path) -> None:
    (tmp_path / "home" / ".profile").write_text("export SCRATCH=/scratch\nexport SELF=node\n")
    nodes = inventory(tmp_path, WHOLE, master=1, worker=1)
    run_env = (
        ("CACHE", "${SCRATCH}/hf"),
        ("MODELS", "$CACHE/models"),
        ("SELF", "mine:$SELF"),
        ("HOMES", "~/a:~/b:x~/c"),
        ("PRICE", "$$5 %SCRATCH% 100$"),
        ("EMPTY", "<$NOWHERE>"),
        ("LATE", "run"),
        ("PATH", "/extra:$PATH"),
        ("MAX_TOKENS", "128"),
    )
    worker = replace(nodes.workers[0], env=(("LATE", "node"), ("CACHE", "/local")))
    nodes = replace(nodes, workers=(worker,), run=replace(nodes.run, env=run_env))
    await run(nodes)
    first, second = told(nodes, "master", 0), told(nodes, "worker", 1)
    home = tmp_path / "home"
    assert (first["CACHE"], first["MODELS"]) == ("/scratch/hf", "/scratch/hf/models")
    assert (second["CACHE"], second["MODELS"]) == ("/local", "/local/models")
    assert (first["LATE"], second["LATE"]) == ("run", "node")
    assert first["SELF"] == "mine:node"
    assert first["HOMES"] == f"{home}/a:{home}/b:x~/c"
    assert first["PRICE"] == "$5 %SCRATCH% 100$"
    assert first["EMPTY"] == "<>"
    assert first["MAX_TOKENS"] == "128"
    bin_folder = Path(sys.executable).parent
    assert first["PATH"].split(os.pathsep)[:2] == ["/extra", str(bin_folder)]


async def test_variables_that_refer_to_each_other_start_nothing(tmp_path: Path) -> None:
    nodes = inventory(tmp_path, WHOLE, master=1)
    nodes = replace(nodes, run=replace(nodes.run, env=(("LOOP", "a$POOL"), ("POOL", "b$LOOP"))))
    async with fleet_of(nodes) as fleet:
        with pytest.raises(LaunchFailed, match="env LOOP refers to another variable of `env`"):
            await collect(launch(fleet, plan_of(nodes)))


async def test_a_shell_that_reports_nothing_costs_its_start_files_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "home" / ".profile").write_text("export LOST=1\nexit 3\n")
    nodes = inventory(tmp_path, WHOLE, master=1)
    await run(nodes)
    assert "LOST" not in told(nodes, "master", 0)
    found = login()
    assert found.problem is not None
    assert "ended without running a program" in found.problem
    log = Path(nodes.master.project) / ".dtui" / "runs" / "run-1" / "supervisor.log"
    assert "ended without running a program" in log.read_text()


def test_a_program_that_a_start_file_leaves_behind_neither_blocks_nor_stays(tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    (tmp_path / "home" / ".profile").write_text(f"sleep 600 &\necho $! > {pid}\nexport THERE=1\n")
    assert login().variables["THERE"] == "1"
    wait_until(lambda: not alive(int(pid.read_text())))


def alive(pid: int) -> bool:
    with suppress(psutil.NoSuchProcess):
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    return False


def test_the_identity_is_that_of_the_user(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("USER", "somebody-else")
    assert login().variables["USER"] == pwd.getpwuid(os.geteuid()).pw_name


def in_folder(nodes: Inventory, workdir: str) -> Inventory:
    """The program moved into ``workdir`` on every node, beside a file that it reads by a relative path."""
    for node in nodes.nodes:
        folder = Path(node.project) / workdir
        folder.mkdir(parents=True)
        (folder / "program.py").write_text(PRELUDE + READS)
        (folder / "input.txt").write_text(f"for {node.name}")
    return replace(nodes, run=replace(nodes.run, script=f"{workdir}/program.py", workdir=workdir))


READS = """
say(HERE.name, pathlib.Path("input.txt").read_text(), *sys.argv[1:])
note(step=1, loss=0.5)
"""


async def test_a_program_runs_in_its_workdir_on_every_node(tmp_path: Path) -> None:
    nodes = in_folder(inventory(tmp_path, "", master=1, worker=1), "examples/small")
    nodes = replace(nodes, run=replace(nodes.run, config="configs/a.yaml"))
    async with fleet_of(nodes) as fleet:
        events = await collect(run_to_end(fleet, plan_of(nodes)))
    assert finish(events).outcome == "succeeded"
    assert output(events, 0) == b"small for master --config ../../configs/a.yaml\n"
    assert output(events, 1) == b"small for worker --config ../../configs/a.yaml\n"
    assert {event.rank for event in of(events, MetricsSeen)} == {0, 1}


async def test_a_workdir_that_a_node_lacks_is_named_with_the_node(tmp_path: Path) -> None:
    nodes = in_folder(inventory(tmp_path, "", master=1, worker=1), "sub")
    (Path(nodes.node("worker").project) / "sub").rename(tmp_path / "gone")
    async with fleet_of(nodes) as fleet:
        with pytest.raises(LaunchFailed, match="the run's `workdir`, on this node"):
            await collect(launch(fleet, plan_of(nodes)))
        recorded = list(RunStore(fleet.home, "run-1").events())
    errors = [notice for notice in of(recorded, Notice) if notice.level == "error"]
    assert [notice.node for notice in errors] == ["worker"]


async def test_each_rank_gets_its_nodes_data_folder_as_an_absolute_path(tmp_path: Path) -> None:
    told = "(HERE / 'told.txt').write_text(os.environ.get('DTUI_DATA', 'none'))"
    nodes = inventory(tmp_path, told, master=1, gpu1=1, gpu2=1)
    data = DataSettings(root="../sets", on=(("gpu2", "~/plans"),))
    async with fleet_of(replace(nodes, data=data)) as fleet:
        facts = {node.name: wire.facts(host=node.name) for node in nodes.nodes}
        plan = plan_project_run(fleet.inventory, nodes.nodes, facts, clock=fleet.clock)
        assert finish(await collect(run_to_end(fleet, plan))).outcome == "succeeded"
        assert [(project(fleet, node.name) / "told.txt").read_text() for node in nodes.nodes] == [
            str(tmp_path / "sets"), str(tmp_path / "sets"), str(Path.home() / "plans")
        ]  # fmt: skip


async def test_without_data_there_is_no_such_variable(tmp_path: Path) -> None:
    told = "(HERE / 'told.txt').write_text(os.environ.get('DTUI_DATA', 'none'))"
    async with fleet_of(inventory(tmp_path, told, master=1)) as fleet:
        facts = {"master": wire.facts(host="master")}
        plan = plan_project_run(fleet.inventory, fleet.nodes, facts, clock=fleet.clock)
        assert finish(await collect(run_to_end(fleet, plan))).outcome == "succeeded"
        assert (project(fleet, "master") / "told.txt").read_text() == "none"
