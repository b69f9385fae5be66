"""The processes of a node: command line and environment of each."""

from __future__ import annotations

from fleet.inventory import Node, RunSettings
from fleet.plan.model import INTERPRETER, NodePlan, ProcessPlan, RunPlan

#: Below the project folder on a node; written by the deploy's configure step.
ACCELERATE_CONFIG = ".dtui/accelerate_config.yaml"
#: Likewise, where the launcher can't do without it: see the file of that name in this folder.
STORE_SHIM = ".dtui/store_without_libuv.py"


def processes_of(
    plan: RunPlan, part: NodePlan, node: Node, run: RunSettings, system: str = ""
) -> tuple[ProcessPlan, ...]:
    """Return what the node's supervisor starts: a process a rank, or one launcher. ``system`` as in Share.

    The supervisor adds what only the node knows, such as DTUI_STOP_FILE.
    """
    common = _common(plan, part, node, run)
    program = _program(run)
    if plan.method == "accelerate":
        # Launcher and workers each make a TCPStore, so both go through it.
        shim = (STORE_SHIM,) if system == "Windows" else ()
        launch = (*shim, "-m", "accelerate.commands.launch", "--config_file", ACCELERATE_CONFIG, *shim)
        return (
            ProcessPlan(
                rank=part.first_rank,
                local_rank=0,
                ranks=part.local_world_size,
                argv=(INTERPRETER, *launch, *program),
                env=common,
            ),
        )
    return tuple(
        ProcessPlan(
            rank=part.first_rank + local_rank,
            local_rank=local_rank,
            ranks=1,
            argv=(INTERPRETER, *program),
            env={
                **common,
                "RANK": str(part.first_rank + local_rank),
                "LOCAL_RANK": str(local_rank),
                "WORLD_SIZE": str(plan.world_size),
                "LOCAL_WORLD_SIZE": str(part.local_world_size),
                "MASTER_ADDR": plan.master_address,
                "MASTER_PORT": str(plan.master_port),
            },
        )
        for local_rank in range(part.local_world_size)
    )


def _program(run: RunSettings) -> tuple[str, ...]:
    program = (run.script,) if run.script else ("-m", run.module or "")
    config = ("--config", run.config_handed) if run.config_handed else ()
    return (*program, *config, *run.args)


def _common(plan: RunPlan, part: NodePlan, node: Node, run: RunSettings) -> dict[str, str]:
    env = {"USE_LIBUV": "0", "PYTHONUTF8": "1", "PYTHONUNBUFFERED": "1"}
    if part.interface is not None:
        env["GLOO_SOCKET_IFNAME"] = part.interface
        if plan.backend == "nccl":
            env["NCCL_SOCKET_IFNAME"] = f"={part.interface}"  # "=": this name, not every one that begins so
    # The user's variables stand over these, and below what makes the run this run.
    env |= dict(run.env) | dict(node.env)
    env["ACCELERATE_MIXED_PRECISION"] = plan.mixed_precision
    if plan.cpu:
        env["ACCELERATE_USE_CPU"] = "true"
    if part.gpus_chosen:
        # CUDA numbers the fastest GPU 0 unless told to number them as NVML does.
        env |= {"CUDA_DEVICE_ORDER": "PCI_BUS_ID", "CUDA_VISIBLE_DEVICES": ",".join(map(str, part.gpus))}
    env |= {
        "DTUI_RUN_ID": plan.run,
        "DTUI_NODE": part.node,
        "DTUI_BACKEND": plan.backend,
    }
    return env
