"""The processes of a node: command line and environment of each."""

from __future__ import annotations

import posixpath

from fleet.inventory import RunSettings
from fleet.plan.model import INTERPRETER, NodePlan, ProcessPlan, RunPlan
from fleet.plan.rank_environment import defaults, of_node, of_rank
from fleet.plan.shares import Share

#: Below the project folder on a node, for a launcher that requires it: see the file of that name here.
STORE_SHIM = ".dtui/store_without_libuv.py"
#: As torchrun starts its workers: output appears when it is written.
_UNBUFFERED = ("-u",)


def accelerate_config_file(node: str) -> str:
    """Return the path below the project's folder, which other nodes may share."""
    return f".dtui/accelerate_config.{node}.yaml"


def processes_of(
    plan: RunPlan, part: NodePlan, share: Share, run: RunSettings, *, cpu: bool, data: str | None = None
) -> tuple[ProcessPlan, ...]:
    """Return what the node's supervisor starts: one process per rank, or one launcher for all.

    ``cpu``: train on the CPU even if there are GPUs; ``data``: the node's data folder. The supervisor
    adds DTUI_STOP_FILE and TORCHELASTIC_ERROR_FILE.
    """
    common = _common(plan, part, share, cpu) | of_node(plan, part, data)
    program = _program(run)
    if plan.method == "accelerate":
        # Launcher and workers each make a TCPStore, so both go through it.
        shim = (from_workdir(STORE_SHIM, plan.workdir),) if part.windows else ()
        config = from_workdir(accelerate_config_file(part.node), plan.workdir)
        launch = (*shim, "-m", "accelerate.commands.launch", "--config_file", config, *shim)
        return (
            ProcessPlan(
                rank=part.first_rank,
                local_rank=0,
                ranks=part.local_world_size,
                argv=(INTERPRETER, *_UNBUFFERED, *launch, *program),
                env=common,
            ),
        )
    return tuple(
        ProcessPlan(
            rank=part.first_rank + local_rank,
            local_rank=local_rank,
            ranks=1,
            argv=(INTERPRETER, *_UNBUFFERED, *program),
            env=common | of_rank(plan, part, local_rank),
        )
        for local_rank in range(part.local_world_size)
    )


def from_workdir(path: str, workdir: str) -> str:
    """Return a path below the project as the ranks see it from their working folder."""
    return posixpath.relpath(path, workdir) if workdir else path


def _program(run: RunSettings) -> tuple[str, ...]:
    program = (from_workdir(run.script, run.workdir),) if run.script else ("-m", run.module or "")
    config = ("--config", from_workdir(run.program_config, run.workdir)) if run.program_config else ()
    return (*program, *config, *run.args)


def _common(plan: RunPlan, part: NodePlan, share: Share, cpu: bool) -> dict[str, str]:
    env = defaults(part, share.facts["cpu"], plan.backend)
    if plan.mixed_precision != "no":
        env["ACCELERATE_MIXED_PRECISION"] = plan.mixed_precision
    # `accelerate launch` uses the CPU only on request.
    if cpu or share.node.gpus == 0 or (plan.cpu and plan.method == "accelerate"):
        env["ACCELERATE_USE_CPU"] = "true"
    own = {name.upper() for name in part.variables} if part.windows else set(part.variables)
    return {name: value for name, value in env.items() if name not in own}
