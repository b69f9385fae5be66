"""Ranks get what torchrun gives its workers: compared with torchrun itself, over two nodes of two ranks."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from msgspec.structs import replace

from agent.environments.login import login
from fleet.runs import run_to_end
from tests.runs.fleets import collect, finish, fleet_of, inventory, plan_of
from tests.support.ports import free_port

PROGRAM = """
told = {
    "env": dict(os.environ), "argv": sys.argv, "cwd": os.getcwd(), "unbuffered": sys.stdout.write_through,
}
(HERE / f"told-{RANK}.json").write_text(json.dumps(told))
"""
#: How dtui differs on purpose: see fleet/plan/rank_environment.py.
DIFFERENT = {"TORCHELASTIC_USE_AGENT_STORE", "TORCHELASTIC_ERROR_FILE", "TORCHELASTIC_RUN_ID"}
#: What torchrun's own imports, and readline in the test's process, leave in the environment.
INCIDENTAL = {
    "LINES", "COLUMNS", "LC_CTYPE", "KINETO_LOG_LEVEL",
    "TORCHINDUCTOR_CACHE_DIR", "TORCHINDUCTOR_FORCE_DISABLE_CACHES",
}  # fmt: skip
#: The observer keeps torch's flight recorder on.
OURS = {"NODE_RANK", "GLOO_SOCKET_IFNAME", "TORCH_FR_BUFFER_SIZE", "VIRTUAL_ENV"}


def torchrun(folder: Path, rank: int, port: int) -> subprocess.Popen[bytes]:
    command = (
        f"--nnodes 2 --node-rank {rank} --nproc-per-node 2 --master-addr 127.0.0.1 --master-port {port} "
        "program.py --lr 3e-4 한글"
    )
    environment = {name: value for name, value in os.environ.items() if name != "OMP_NUM_THREADS"}
    return subprocess.Popen(
        [sys.executable, "-m", "torch.distributed.run", *command.split()], cwd=folder, env=environment
    )


def told(folder: Path, rank: int) -> dict[str, object]:
    found = json.loads((folder / f"told-{rank}.json").read_text())
    assert isinstance(found, dict)
    return found


def environment(folder: Path, rank: int) -> Mapping[str, str]:
    found = told(folder, rank)["env"]
    assert isinstance(found, dict)
    return found


async def test_ranks_get_what_torchrun_gives_its_workers(tmp_path: Path) -> None:
    nodes = inventory(tmp_path, PROGRAM, n0=2, n1=2)
    port = free_port()
    run = replace(nodes.run, args=("--lr", "3e-4", "한글"), port=port)
    fleet = fleet_of(replace(nodes, run=run))
    plan = plan_of(fleet.inventory)
    async with fleet:
        assert finish(await collect(run_to_end(fleet, plan))).outcome == "succeeded"
    folders = [tmp_path / "n0", tmp_path / "n1"]
    ours = {rank: told(folders[rank // 2], rank) for rank in range(4)}
    launched = [torchrun(folder, rank, port) for rank, folder in enumerate(folders)]
    assert [process.wait(timeout=120) for process in launched] == [0, 0]
    for rank in range(4):
        theirs = told(folders[rank // 2], rank)
        assert {key: ours[rank][key] for key in ("argv", "cwd", "unbuffered")} == {
            key: theirs[key] for key in ("argv", "cwd", "unbuffered")
        }
        set_by_torchrun = {
            name: value
            for name, value in environment(folders[rank // 2], rank).items()
            if os.environ.get(name) != value and name not in INCIDENTAL
        }
        set_by_dtui = ours[rank]["env"]
        assert isinstance(set_by_dtui, dict)
        assert {"RANK", "TORCHELASTIC_RUN_ID", "OMP_NUM_THREADS"} <= set(set_by_torchrun)
        assert set(set_by_torchrun) - set(set_by_dtui) == set()
        assert {name: set_by_dtui[name] for name in set_by_torchrun if name not in DIFFERENT} == {
            name: value for name, value in set_by_torchrun.items() if name not in DIFFERENT
        }
        inherited = {*os.environ, *login().variables}
        more = {name for name in set(set_by_dtui) - set(set_by_torchrun) if name not in inherited}
        assert {name for name in more if not name.startswith("DTUI_")} - INCIDENTAL <= OURS
        assert set_by_dtui["TORCHELASTIC_USE_AGENT_STORE"] == "False"
        assert set_by_dtui["TORCHELASTIC_RUN_ID"] == "run-1"
        assert set_by_dtui["TORCHELASTIC_ERROR_FILE"].endswith(f"rank-{rank}.error.json")
        assert set_by_dtui["NODE_RANK"] == set_by_dtui["GROUP_RANK"] == str(rank // 2)
