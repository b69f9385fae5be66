"""Plans: ranks over nodes, the meeting point, and every fault at once."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from agent.wire.message import to_data
from fleet.events import RankPlan
from fleet.inventory import Inventory, RunSettings
from fleet.plan import INTERPRETER, PlanError, PlanFormatError, RunPlan, plan_run
from tests.plan.fleets import facts, inventory, worker


def gpu_fleet(**node: object) -> Inventory:
    return inventory(worker("gpu1", "192.168.1.101", **node), worker("gpu2", "192.168.1.102"))


def gpu_facts(system: str = "Linux") -> dict[str, dict[str, object]]:
    return {
        "master": facts("192.168.1.100", gpus=2, system=system),
        "gpu1": facts("192.168.1.101", gpus=4, system=system),
        "gpu2": facts("192.168.1.102", gpus=1, system=system),
    }


def faults_of(*args: object, **options: object) -> list[str]:
    with pytest.raises(PlanError) as caught:
        plan_run(*args, run_id="r1", **options)  # type: ignore[arg-type]
    return [str(fault) for fault in caught.value.faults]


class TestRanks:
    def test_the_master_is_rank_0_and_unequal_nodes_follow(self) -> None:
        plan = plan_run(gpu_fleet(), gpu_facts(), run_id="r1")
        assert plan.world_size == 7
        assert plan.ranks[:3] == (
            RankPlan(node="master", rank=0, local_rank=0),
            RankPlan(node="master", rank=1, local_rank=1),
            RankPlan(node="gpu1", rank=2, local_rank=0),
        )
        assert plan.ranks[-1] == RankPlan(node="gpu2", rank=6, local_rank=0)
        assert [part.machine_rank for part in plan.nodes] == [0, 1, 2]

    def test_a_rank_sees_its_place(self) -> None:
        plan = plan_run(
            gpu_fleet(), gpu_facts(), run_id="20250101-120000", port=29501, mixed_precision="bf16"
        )
        env = plan.part("gpu1").processes[3].env
        assert env == {
            "RANK": "5",
            "LOCAL_RANK": "3",
            "WORLD_SIZE": "7",
            "LOCAL_WORLD_SIZE": "4",
            "MASTER_ADDR": "192.168.1.100",
            "MASTER_PORT": "29501",
            "GROUP_RANK": "1",
            "GROUP_WORLD_SIZE": "3",
            "NODE_RANK": "1",
            "ROLE_NAME": "default",
            "ROLE_RANK": "5",
            "ROLE_WORLD_SIZE": "7",
            "TORCHELASTIC_RESTART_COUNT": "0",
            "TORCHELASTIC_MAX_RESTARTS": "0",
            "TORCHELASTIC_RUN_ID": "20250101-120000",
            "TORCHELASTIC_USE_AGENT_STORE": "False",
            "TORCHELASTIC_SIGNALS_TO_HANDLE": "SIGTERM,SIGINT,SIGHUP,SIGQUIT",
            "TORCH_NCCL_ASYNC_ERROR_HANDLING": "1",
            "OMP_NUM_THREADS": "1",
            "ACCELERATE_MIXED_PRECISION": "bf16",
            "GLOO_SOCKET_IFNAME": "eth0",
            "NCCL_SOCKET_IFNAME": "=eth0",
            "DTUI_RUN_ID": "20250101-120000",
            "DTUI_NODE": "gpu1",
            "DTUI_BACKEND": "nccl",
        }

    def test_chosen_gpus_are_the_only_ones_seen_and_numbered_as_nvml_does(self) -> None:
        plan = plan_run(gpu_fleet(gpus=(3, 1)), gpu_facts(), run_id="r1")
        part = plan.part("gpu1")
        assert part.gpus == (3, 1)
        assert [one.env["CUDA_VISIBLE_DEVICES"] for one in part.processes] == ["3,1", "3,1"]
        assert {one.env["CUDA_DEVICE_ORDER"] for one in part.processes} == {"PCI_BUS_ID"}

    def test_a_count_below_what_is_there_takes_the_first(self) -> None:
        part = plan_run(gpu_fleet(gpus=2), gpu_facts(), run_id="r1").part("gpu1")
        assert part.gpus == (0, 1)
        assert part.processes[0].env["CUDA_VISIBLE_DEVICES"] == "0,1"

    def test_all_gpus_leave_the_numbering_alone(self) -> None:
        part = plan_run(gpu_fleet(gpus=4), gpu_facts(), run_id="r1").part("gpu1")
        assert "CUDA_VISIBLE_DEVICES" not in part.processes[0].env

    def test_nodes_can_be_left_out_and_without_the_master_the_next_is_rank_0(self) -> None:
        fleet = gpu_fleet()
        plan = plan_run(fleet, gpu_facts(), run_id="r1", nodes=fleet.select("gpu2,gpu1"))
        assert [part.node for part in plan.nodes] == ["gpu1", "gpu2"]
        assert plan.master_address == "192.168.1.101"

    @pytest.mark.parametrize(
        ("cpu", "threads"),
        [
            ({"cores": 16, "threads": 32, "usable": 32}, "4"),
            ({"cores": 16, "threads": 32, "usable": 8}, "2"),
            ({"cores": 2, "threads": 4, "usable": 4}, "1"),
            ({"cores": None, "threads": None, "usable": None}, "1"),
        ],
    )
    def test_ranks_of_a_node_share_its_cores(self, cpu: dict[str, int | None], threads: str) -> None:
        told = {
            "master": facts("192.168.1.100"),
            "gpu1": facts("192.168.1.101") | {"cpu": {"model": None, **cpu}},
        }
        fleet = inventory(worker("gpu1", "192.168.1.101", processes=4))
        plan = plan_run(fleet, told, run_id="r1")
        assert {one.env["OMP_NUM_THREADS"] for one in plan.part("gpu1").processes} == {threads}
        assert "OMP_NUM_THREADS" not in plan.part("master").processes[0].env

    def test_nothing_that_the_user_sets_is_replaced_by_a_default(self) -> None:
        own = (("ACCELERATE_MIXED_PRECISION", "bf16"), ("OMP_NUM_THREADS", "3"))
        fleet = replace(gpu_fleet(), run=RunSettings(env=own))
        part = plan_run(fleet, gpu_facts(), run_id="r1").part("gpu1")
        assert part.variables == dict(own)
        assert not set(dict(own)) & set(part.processes[0].env)

    def test_only_windows_needs_these(self) -> None:
        told = gpu_facts() | {"gpu2": facts("192.168.1.102", gpus=1, system="Windows")}
        plan = plan_run(gpu_fleet(), told, run_id="r1")
        assert {"USE_LIBUV", "PYTHONUTF8"} <= set(plan.part("gpu2").processes[0].env)
        assert not {"USE_LIBUV", "PYTHONUTF8"} & set(plan.part("gpu1").processes[0].env)

    def test_variables_of_the_node_win_over_those_of_the_run_but_not_over_the_rank(self) -> None:
        run = RunSettings(env=(("A", "run"), ("B", "run"), ("RANK", "77"), ("GLOO_SOCKET_IFNAME", "ib0")))
        fleet = replace(gpu_fleet(env=(("A", "node"),)), run=run)
        part = plan_run(fleet, gpu_facts(), run_id="r1").part("gpu1")
        assert part.variables == {"A": "node", "B": "run", "GLOO_SOCKET_IFNAME": "ib0"}
        assert part.processes[0].env["RANK"] == "2"
        assert "GLOO_SOCKET_IFNAME" not in part.processes[0].env

    def test_a_variable_of_the_shell_that_no_rank_gets_is_named_with_the_line_to_write(self) -> None:
        shell = {
            "HF_HOME": "/data/hf", "WANDB_PROJECT": "$x", "WANDB_API_KEY": "hunter2-4f9c", "NCCL_DEBUG": "",
            "https_proxy": "http://me:hunter2-4f9c@proxy:1", "TERM": "xterm", "UV_CACHE_DIR": "/uv",
        }  # fmt: skip
        fleet = replace(gpu_fleet(), run=RunSettings(env=(("UV_CACHE_DIR", "/own"),)))
        plan = plan_run(fleet, gpu_facts(), run_id="r1", shell=shell)
        plain, hidden = (note for note in plan.notes if "this shell sets" in note)
        assert "HF_HOME, WANDB_PROJECT" in plain
        assert "`env: {HF_HOME: /data/hf, WANDB_PROJECT: '$$x'}`" in plain
        assert "`secrets: [WANDB_API_KEY, https_proxy]`" in hidden
        assert not any(word in text for word in ("hunter2", "TERM", "UV_CACHE_DIR") for text in plan.notes)

    def test_a_variable_that_every_login_sets_alike_is_not_named(self) -> None:
        told = {
            name: fact | {"login": {"HF_HOME": "/hf", "HF_TOKEN": None}} for name, fact in gpu_facts().items()
        }
        shell = {"HF_HOME": "/hf", "HF_TOKEN": "hunter2-4f9c"}
        assert not plan_run(gpu_fleet(), told, run_id="r1", shell=shell).notes

    def test_logins_that_set_a_variable_differently_are_named(self) -> None:
        told = gpu_facts()
        told["master"] = told["master"] | {"login": {"HF_HOME": "/a", "NCCL_DEBUG": "INFO", "HF_TOKEN": None}}
        told["gpu1"] = told["gpu1"] | {"login": {"HF_HOME": "/b"}}
        fleet = replace(gpu_fleet(), run=RunSettings(env=(("NCCL_DEBUG", "WARN"),), secrets=("HF_TOKEN",)))
        (note,) = plan_run(fleet, told, run_id="r1").notes
        assert "set HF_HOME differently: '/a' on master; '/b' on gpu1; not set on gpu2" in note

    def test_a_login_whose_start_files_do_not_work_is_named(self) -> None:
        told = gpu_facts()
        told["gpu2"] = told["gpu2"] | {"login_problem": to_data("the login shell is broken")}
        assert "gpu2: the login shell is broken" in plan_run(gpu_fleet(), told, run_id="r1").notes


class TestCommand:
    def test_the_trainer_gets_its_config(self) -> None:
        plan = plan_run(gpu_fleet(), gpu_facts(), run_id="r1")
        assert plan.nodes[0].processes[0].argv == (
            INTERPRETER, "-u", "-m", "trainer", "--config", "configs/train_config.yaml",
        )  # fmt: skip

    def test_a_foreign_script_gets_only_what_was_written(self) -> None:
        run = RunSettings(module=None, script="train.py", args=("--epochs", "3"))
        plan = plan_run(replace(gpu_fleet(), run=run), gpu_facts(), run_id="r1")
        assert plan.nodes[1].processes[0].argv == (INTERPRETER, "-u", "train.py", "--epochs", "3")

    def test_paths_of_the_program_are_those_of_its_working_folder(self) -> None:
        run = RunSettings(module=None, script="a/b/train.py", config="configs/c.yaml", workdir="a")
        plan = plan_run(replace(gpu_fleet(), run=run), gpu_facts(), run_id="r1")
        assert plan.nodes[1].processes[0].argv[2:] == ("b/train.py", "--config", "../configs/c.yaml")
        launched = plan_run(replace(gpu_fleet(), run=run), gpu_facts(), run_id="r1", method="accelerate")
        assert "../.dtui/accelerate_config.gpu1.yaml" in launched.nodes[1].processes[0].argv

    def test_accelerate_is_started_once_a_node_and_numbers_its_ranks_itself(self) -> None:
        plan = plan_run(gpu_fleet(), gpu_facts(), run_id="r1", method="accelerate")
        (launcher,) = plan.part("gpu1").processes
        assert launcher.argv[:6] == (
            INTERPRETER, "-u", "-m", "accelerate.commands.launch",
            "--config_file", ".dtui/accelerate_config.gpu1.yaml",
        )  # fmt: skip
        assert launcher.argv[6:8] == ("-m", "trainer")
        assert (launcher.rank, launcher.ranks) == (2, 4)
        assert not {"RANK", "LOCAL_RANK", "WORLD_SIZE", "MASTER_ADDR"} & set(launcher.env)


class TestBackend:
    def test_windows_anywhere_means_gloo_everywhere(self) -> None:
        told = gpu_facts()
        told["gpu2"] = facts("192.168.1.102", gpus=1, system="Windows", adapter="Ethernet 2")
        plan = plan_run(gpu_fleet(), told, run_id="r1")
        assert plan.backend == "gloo"
        assert plan.part("gpu2").processes[0].env["GLOO_SOCKET_IFNAME"] == "Ethernet 2"
        assert "NCCL_SOCKET_IFNAME" not in plan.part("gpu1").processes[0].env

    def test_nodes_without_gpu_make_a_cpu_run(self) -> None:
        told = {
            name: facts(address) for name, address in [("master", "192.168.1.100"), ("gpu1", "192.168.1.101")]
        }
        fleet = inventory(worker("gpu1", "192.168.1.101", processes=3))
        plan = plan_run(fleet, told, run_id="r1")
        assert (plan.cpu, plan.backend, plan.world_size) == (True, "gloo", 4)
        assert plan.notes == ("no node has a usable GPU, so the ranks train on the CPU",)
        assert "ACCELERATE_USE_CPU" not in plan.part("gpu1").processes[0].env

    @pytest.mark.parametrize("asked", [{"cpu": True}, {"method": "accelerate"}])
    def test_accelerate_is_told_to_use_the_cpu_where_it_would_not_by_itself(
        self, asked: dict[str, Any]
    ) -> None:
        told = {"master": facts("192.168.1.100")}
        plan = plan_run(inventory(), told, run_id="r1", **asked)
        assert plan.part("master").processes[0].env["ACCELERATE_USE_CPU"] == "true"

    def test_cpu_and_gpu_nodes_do_not_mix_unless_asked(self) -> None:
        told = gpu_facts() | {"master": facts("192.168.1.100") | {"gpu_error": to_data("driver not loaded")}}
        (fault,) = faults_of(gpu_fleet(), told)
        assert fault.startswith("master: no GPU to train on (driver not loaded), unlike gpu[1-2];")
        assert "--cpu" in fault
        plan = plan_run(gpu_fleet(), told, run_id="r1", cpu=True)
        assert (plan.cpu, plan.world_size, plan.nodes[1].gpus) == (True, 3, ())

    def test_nccl_on_windows_is_refused(self) -> None:
        fleet = replace(gpu_fleet(), run=RunSettings(backend="nccl"))
        (fault,) = faults_of(fleet, gpu_facts("Windows"))
        assert "gpu[1-2],master" in fault
        assert "nccl" in fault


class TestMeeting:
    def test_the_address_is_found_from_the_adapter_towards_the_workers(self) -> None:
        fleet = inventory(worker("gpu1", "192.168.1.101"), master="")
        told = {"master": facts("192.168.1.100"), "gpu1": facts("192.168.1.101")}
        assert plan_run(fleet, told, run_id="r1").master_address == "192.168.1.100"

    def test_an_unknown_address_is_a_fault_that_says_to_set_it(self) -> None:
        fleet = inventory(worker("gpu1", "192.168.1.101"), master="")
        told = {"master": facts("192.168.1.100", routes=False), "gpu1": facts("192.168.1.101")}
        (fault,) = faults_of(fleet, told)
        assert fault.endswith("write its IP address as `address` of `master`")

    def test_loopback_nodes_meet_on_loopback(self) -> None:
        fleet = inventory(worker("a", "127.0.1.1"), worker("b", "127.0.1.2"), master="")
        told = {"master": facts("127.0.0.1"), "a": facts("127.0.1.1"), "b": facts("127.0.1.2")}
        plan = plan_run(fleet, told, run_id="r1")
        assert plan.master_address == "127.0.0.1"
        assert {part.interface for part in plan.nodes} == {"lo"}

    def test_a_loopback_master_is_out_of_reach_for_real_workers(self) -> None:
        fleet = inventory(worker("gpu1", "192.168.1.101"), master="127.0.0.1")
        told = {"master": facts("127.0.0.1"), "gpu1": facts("192.168.1.101")}
        (fault,) = faults_of(fleet, told)
        assert "cannot be reached from gpu1" in fault

    def test_a_given_adapter_that_is_not_there_is_a_fault_with_those_that_are(self) -> None:
        (fault,) = faults_of(gpu_fleet(interface="eth7"), gpu_facts())
        assert fault == (
            "gpu1: network adapter 'eth7' was not found; available: 'lo', 'vpn0', 'eth0'; correct `interface`"
        )

    def test_an_adapter_with_a_korean_name_and_accelerate_on_windows_are_noted(self) -> None:
        told = gpu_facts("Windows")
        told["gpu1"] = facts("192.168.1.101", gpus=4, system="Windows", adapter="이더넷")
        plan = plan_run(gpu_fleet(), told, run_id="r1", method="accelerate")
        assert plan.part("gpu1").interface == "이더넷"
        assert [note.split(":")[0] for note in plan.notes] == ["gpu1", "gpu[1-2],master"]


def test_every_fault_is_reported_at_once() -> None:
    fleet = inventory(
        worker("gpu1", "192.168.1.101", gpus=8),
        worker("gpu2", "192.168.1.102", gpus=(0, 5)),
        worker("gpu3", "192.168.1.103"),
    )
    faults = faults_of(fleet, gpu_facts(), port=80, method="magic", mixed_precision="fp4")
    assert [fault.split(";")[0] for fault in faults] == [
        "port 80 cannot be the rendezvous port",
        "unknown launch method 'magic'",
        "unknown mixed precision 'fp4'",
        "gpu1: `gpus` is 8, but the node has 4 GPUs",
        "gpu2: GPU 5 was not found",
        "gpu3: the node has not reported its hardware yet",
    ]


@given(
    counts=st.lists(st.integers(0, 8), min_size=1, max_size=6),
    method=st.sampled_from(["ranks", "accelerate"]),
)
@settings(max_examples=40, deadline=None)
def test_ranks_are_a_numbering_without_gaps_and_plans_survive_json(counts: list[int], method: str) -> None:
    fleet = inventory(*(worker(f"n{number}", f"192.168.1.{number + 1}") for number in range(len(counts))))
    told = {f"n{number}": facts(f"192.168.1.{number + 1}", gpus=count) for number, count in enumerate(counts)}
    plan = plan_run(fleet, told, run_id="r1", nodes=fleet.workers, method=method, cpu=0 in counts)
    assert [rank.rank for rank in plan.ranks] == list(range(plan.world_size))
    assert sum(process.ranks for part in plan.nodes for process in part.processes) == plan.world_size
    assert [process.rank for part in plan.nodes for process in part.processes] == sorted(
        {process.rank for part in plan.nodes for process in part.processes}
    )
    assert RunPlan.from_json(plan.to_json()) == plan


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"nodes": [{}]}', "null"])
def test_what_is_not_a_plan_is_refused(text: str) -> None:
    with pytest.raises(PlanFormatError):
        RunPlan.from_json(text)
