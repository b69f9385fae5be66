"""What each node gets of its own for a run."""

from __future__ import annotations

import pytest

from fleet.node_files import node_files
from fleet.plan import INTERPRETER, plan_run
from fleet.plan.processes import STORE_SHIM, accelerate_config_file
from tests.plan.fleets import facts, inventory, worker


def test_on_windows_launcher_and_workers_both_go_without_libuv() -> None:
    told = {
        "master": facts("192.168.1.100", gpus=1),
        "gpu1": facts("192.168.1.101", gpus=1, system="Windows"),
    }
    plan = plan_run(inventory(worker("gpu1", "192.168.1.101")), told, run_id="r1", method="accelerate")
    linux, windows = (part.processes[0].argv for part in plan.nodes)
    assert STORE_SHIM not in linux
    launcher, program = (at for at, word in enumerate(windows) if word == STORE_SHIM)
    assert windows[:1] == (INTERPRETER,)
    assert windows[launcher + 1 : program] == (
        "-m", "accelerate.commands.launch", "--config_file", accelerate_config_file("gpu1")
    )  # fmt: skip
    assert linux[6:] == windows[program + 1 :]
    assert set(node_files(plan, "master")) == {accelerate_config_file("master")}
    assert set(node_files(plan, "gpu1")) == {accelerate_config_file("gpu1"), STORE_SHIM}
    compile(node_files(plan, "gpu1")[STORE_SHIM], STORE_SHIM, "exec")


@pytest.mark.parametrize(("system", "more"), [("Linux", set()), ("Windows", {STORE_SHIM})])
def test_windows_gets_what_its_command_by_hand_needs(system: str, more: set[str]) -> None:
    told = {"master": facts("192.168.1.100", gpus=1, system=system)}
    plan = plan_run(inventory(), told, run_id="r1")
    assert set(node_files(plan, "master")) == {accelerate_config_file("master")} | more
