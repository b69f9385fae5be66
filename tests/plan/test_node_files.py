"""What each node gets of its own for a run."""

from __future__ import annotations

import pytest

from fleet.node_files import node_files
from fleet.plan import INTERPRETER, plan_run
from fleet.plan.processes import ACCELERATE_CONFIG, STORE_SHIM
from tests.plan.fleets import facts, inventory, worker


def test_on_windows_launcher_and_workers_both_go_without_libuv() -> None:
    told = {
        "master": facts("192.168.1.100", gpus=1),
        "gpu1": facts("192.168.1.101", gpus=1, system="Windows"),
    }
    plan = plan_run(inventory(worker("gpu1", "192.168.1.101")), told, run_id="r1", method="accelerate")
    linux, windows = (part.processes[0].argv for part in plan.nodes)
    assert STORE_SHIM not in linux
    launcher, program = windows.index(STORE_SHIM), windows.index(STORE_SHIM, 2)
    assert windows[:1] == (INTERPRETER,)
    assert windows[launcher + 1 : program] == (
        "-m", "accelerate.commands.launch", "--config_file", ACCELERATE_CONFIG
    )  # fmt: skip
    assert linux[5:] == windows[program + 1 :]
    assert set(node_files(plan, "master")) == {ACCELERATE_CONFIG}
    assert set(node_files(plan, "gpu1")) == {ACCELERATE_CONFIG, STORE_SHIM}
    compile(node_files(plan, "gpu1")[STORE_SHIM], STORE_SHIM, "exec")


@pytest.mark.parametrize("system", ["Linux", "Windows"])
def test_a_process_a_rank_needs_only_the_config(system: str) -> None:
    told = {"master": facts("192.168.1.100", gpus=1, system=system)}
    plan = plan_run(inventory(), told, run_id="r1")
    assert set(node_files(plan, "master")) == {ACCELERATE_CONFIG}
