"""The config files are read by accelerate itself, and start a world of unequal nodes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from msgspec.structs import replace

from fleet.accelerate_config import accelerate_config
from fleet.inventory import RunSettings
from fleet.plan import INTERPRETER, RunPlan, plan_run
from fleet.plan.processes import accelerate_config_file
from tests.plan.fleets import facts, inventory, worker
from tests.support.ports import free_port

PROGRAM = """\
import json, os, sys
import torch
import torch.distributed as dist
from accelerate import Accelerator, InitProcessGroupKwargs
accelerator = Accelerator(kwargs_handlers=[InitProcessGroupKwargs(backend="gloo")])
total = torch.tensor([float(accelerator.process_index + 1)])
dist.all_reduce(total)
record = {"rank": accelerator.process_index, "world": accelerator.num_processes, "sum": total.item()}
open(os.path.join(sys.argv[1], "rank-%d.json" % record["rank"]), "w").write(json.dumps(record))
dist.destroy_process_group()
"""


def two_nodes(**options: object) -> RunPlan:
    fleet = inventory(worker("gpu1", "192.168.1.101"))
    told = {"master": facts("192.168.1.100", gpus=3), "gpu1": facts("192.168.1.101", gpus=1)}
    return plan_run(fleet, told, run_id="r1", **options)  # type: ignore[arg-type]


def read_by_accelerate(text: str, folder: Path) -> object:
    from accelerate.commands.config.config_args import load_config_from_file

    path = folder / "accelerate_config.yaml"
    path.write_text(text, encoding="utf-8")
    return load_config_from_file(str(path))


@pytest.mark.torch
def test_accelerate_reads_its_rank_and_the_node_count_times_its_own_processes(tmp_path: Path) -> None:
    plan = two_nodes(mixed_precision="no", port=29501)
    first = read_by_accelerate(accelerate_config(plan, "master"), tmp_path)
    second = read_by_accelerate(accelerate_config(plan, "gpu1"), tmp_path)
    assert (first.machine_rank, first.num_machines, first.num_processes) == (0, 2, 6)
    assert (second.machine_rank, second.num_machines, second.num_processes) == (1, 2, 2)
    assert second.main_process_ip == "192.168.1.100"
    assert second.main_process_port == 29501
    assert second.distributed_type == "MULTI_GPU"
    assert second.mixed_precision == "no"
    assert second.gpu_ids == "all"


@pytest.mark.torch
def test_chosen_gpus_are_in_the_file(tmp_path: Path) -> None:
    fleet = inventory(worker("gpu1", "192.168.1.101", gpus=(2, 3)))
    told = {"master": facts("192.168.1.100", gpus=2), "gpu1": facts("192.168.1.101", gpus=4)}
    plan = plan_run(fleet, told, run_id="r1")
    config = read_by_accelerate(accelerate_config(plan, "gpu1"), tmp_path)
    assert config.gpu_ids == "2,3"
    assert config.num_processes == 4


@pytest.mark.torch
def test_one_process_alone_is_not_distributed(tmp_path: Path) -> None:
    plan = plan_run(inventory(), {"master": facts("192.168.1.100")}, run_id="r1")
    config = read_by_accelerate(accelerate_config(plan, "master"), tmp_path)
    assert (config.distributed_type, config.num_processes, config.use_cpu) == ("NO", 1, True)


OWN = {
    "compute_environment": "LOCAL_MACHINE",
    "distributed_type": "FSDP",
    "downcast_bf16": "no",
    "dynamo_config": {"dynamo_backend": "INDUCTOR"},
    "fsdp_config": {"fsdp_version": 2, "fsdp_reshard_after_forward": True},
    "mixed_precision": "fp16",
    "num_machines": 7,
    "num_processes": 1,
    "machine_rank": 5,
    "main_process_ip": "10.0.0.9",
    "main_process_port": 1,
}


@pytest.mark.torch
def test_the_users_own_settings_stay_and_only_ranks_and_addresses_are_replaced(tmp_path: Path) -> None:
    config = read_by_accelerate(accelerate_config(two_nodes(accelerate=OWN), "gpu1"), tmp_path)
    assert config.distributed_type == "FSDP"
    assert config.fsdp_config == OWN["fsdp_config"]
    assert (config.mixed_precision, config.dynamo_config) == ("fp16", {"dynamo_backend": "INDUCTOR"})
    assert (config.num_machines, config.num_processes, config.machine_rank) == (2, 2, 1)
    assert (config.main_process_ip, config.main_process_port) == ("192.168.1.100", 29500)


@pytest.mark.torch
def test_deepspeed_is_started_by_dtui_on_each_node(tmp_path: Path) -> None:
    own = {"distributed_type": "DEEPSPEED", "deepspeed_config": {"zero_stage": 2}}
    config = read_by_accelerate(accelerate_config(two_nodes(accelerate=own), "gpu1"), tmp_path)
    assert config.deepspeed_config == {"zero_stage": 2, "deepspeed_multinode_launcher": "standard"}


@pytest.mark.torch
@pytest.mark.parametrize("kind", ["NO", "MULTI_CPU", "XLA", None, 3])
def test_a_kind_that_several_nodes_cannot_run_becomes_the_usual_one(kind: object, tmp_path: Path) -> None:
    config = read_by_accelerate(
        accelerate_config(two_nodes(accelerate={"distributed_type": kind}), "gpu1"), tmp_path
    )
    assert config.distributed_type == "MULTI_GPU"


def test_the_command_by_hand_is_one_for_the_nodes_system() -> None:
    fleet = inventory(
        worker("gpu1", "192.168.1.101"), run=RunSettings(module=None, script="a b.py", args=("x&y",))
    )
    told = {
        "master": facts("192.168.1.100", gpus=1),
        "gpu1": facts("192.168.1.101", gpus=1, system="Windows", adapter="Ethernet 2"),
    }
    plan = plan_run(fleet, told, run_id="r1")
    linux, windows = (accelerate_config(plan, node).splitlines()[2] for node in ("master", "gpu1"))
    launch = "-m accelerate.commands.launch --config_file .dtui/accelerate_config"
    assert linux == f"#   GLOO_SOCKET_IFNAME=eth0 python {launch}.master.yaml 'a b.py' 'x&y'"
    shim = ".dtui/store_without_libuv.py"
    variables = "$env:GLOO_SOCKET_IFNAME = 'Ethernet 2'; $env:USE_LIBUV = '0'"
    assert windows == f'#   {variables}; python {shim} {launch}.gpu1.yaml {shim} "a b.py" "x&y"'


@pytest.mark.torch
def test_the_command_by_hand_works_as_it_stands(tmp_path: Path) -> None:
    results = tmp_path / "results"
    results.mkdir()
    run = RunSettings(module=None, script="program.py", args=(str(results),))
    fleet = inventory(worker("w1", "127.0.0.2"), master="", run=run)
    fleet = replace(fleet, master=replace(fleet.master, processes=2))
    told = {"master": facts("127.0.0.1"), "w1": facts("127.0.0.2")}
    plan = plan_run(fleet, told, run_id="r1", port=free_port())
    processes = []
    for part in plan.nodes:
        folder = tmp_path / part.node
        (folder / ".dtui").mkdir(parents=True)
        (folder / "program.py").write_text(PROGRAM)
        text = accelerate_config(plan, part.node)
        (folder / accelerate_config_file(part.node)).write_text(text)
        command = text.splitlines()[2].removeprefix("#   ")
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        processes.append(subprocess.Popen(["sh", "-c", command], cwd=folder, env=environment({"PATH": path})))
    assert [process.wait(timeout=90) for process in processes] == [0, 0]
    records = [json.loads(path.read_text()) for path in sorted(results.iterdir())]
    assert records == [{"rank": rank, "world": 3, "sum": 6.0} for rank in range(3)]


def environment(added: dict[str, str]) -> dict[str, str]:
    kept = {
        key: value
        for key, value in os.environ.items()
        if not key.startswith(("ACCELERATE_", "RANK", "WORLD_"))
    }
    return {**kept, "OMP_NUM_THREADS": "1", **added}


@pytest.mark.torch
@pytest.mark.parametrize("method", ["accelerate", "ranks"])
def test_unequal_loopback_nodes_become_one_world(tmp_path: Path, method: str) -> None:
    """Two nodes with 2 and 1 processes: every rank sees a world of 3, and an all-reduce over all of it."""
    results = tmp_path / "results"
    results.mkdir()
    run = RunSettings(module=None, script="program.py", args=(str(results),))
    fleet = inventory(worker("w1", "127.0.0.2"), master="", run=run)
    fleet = replace(fleet, master=replace(fleet.master, processes=2))
    told = {"master": facts("127.0.0.1"), "w1": facts("127.0.0.2")}
    plan = plan_run(fleet, told, run_id="r1", method=method, port=free_port())
    processes = []
    for part in plan.nodes:
        folder = tmp_path / part.node
        (folder / ".dtui").mkdir(parents=True)
        (folder / "program.py").write_text(PROGRAM)
        (folder / accelerate_config_file(part.node)).write_text(accelerate_config(plan, part.node))
        for process in part.processes:
            argv = [sys.executable if word == INTERPRETER else word for word in process.argv]
            log = (tmp_path / f"{part.node}-{process.rank}.log").open("wb")
            processes.append(
                subprocess.Popen(argv, cwd=folder, env=environment(process.env), stdout=log, stderr=log)
            )
    try:
        codes = [process.wait(timeout=90) for process in processes]
    finally:
        for process in processes:
            process.kill()
    logs = "\n".join(path.read_text(errors="replace") for path in sorted(tmp_path.glob("*.log")))
    assert codes == [0] * len(processes), logs
    records = [json.loads(path.read_text()) for path in sorted(results.iterdir())]
    assert records == [{"rank": rank, "world": 3, "sum": 6.0} for rank in range(3)], logs
