"""The environment variables of a rank: those that torchrun sets, and dtui's own.

Names and values are torchrun's (torch/distributed/elastic/agent/server/local_elastic_agent.py), with these
differences:

- ``TORCHELASTIC_USE_AGENT_STORE`` is ``False``: rank 0 hosts the store, since no torchrun agent does.
- ``TORCHELASTIC_ERROR_FILE`` is a file in the run's folder; the node's supervisor sets it.
- ``NODE_RANK`` equals ``GROUP_RANK``; Lightning reads it.
- ``OMP_NUM_THREADS`` divides a node's cores among its ranks, where torchrun gives each rank one thread.
"""

from __future__ import annotations

from agent.wire.facts import CpuFacts
from fleet.inventory import Node, RunSettings
from fleet.plan.model import NodePlan, RunPlan

RESTART_COUNT = "TORCHELASTIC_RESTART_COUNT"
MAX_RESTARTS = "TORCHELASTIC_MAX_RESTARTS"
DATA_VARIABLE = "DTUI_DATA"
#: torchrun's name for the only kind of worker.
_ROLE = "default"


def defaults(part: NodePlan, cpu: CpuFacts, backend: str) -> dict[str, str]:
    """Return the variables that the user's own may replace."""
    env = {"TORCH_NCCL_ASYNC_ERROR_HANDLING": "1"}
    if part.windows:
        # torch for Windows has no libuv; Python there writes to a file in the code page of the system.
        env |= {"USE_LIBUV": "0", "PYTHONUTF8": "1"}
    if part.local_world_size > 1:
        env["OMP_NUM_THREADS"] = str(threads_per_rank(part, cpu))
    if part.interface is not None:
        env["GLOO_SOCKET_IFNAME"] = part.interface
        if backend == "nccl":
            env["NCCL_SOCKET_IFNAME"] = f"={part.interface}"  # "=": this name, not every one that begins so
    return env


def threads_per_rank(part: NodePlan, cpu: CpuFacts) -> int:
    """Return how many threads each rank of a node may use for computing: its share of the cores."""
    known = [count for count in (cpu["cores"], cpu["threads"], cpu["usable"]) if count]
    return max(1, min(known, default=1) // part.local_world_size)


def of_node(plan: RunPlan, part: NodePlan, data: str | None = None) -> dict[str, str]:
    """Return the variables that a launcher on the node needs as well; the user's can't replace them.

    ``data`` is the node's data folder. The node's supervisor makes it absolute.
    """
    env = {"DTUI_RUN_ID": plan.run, "DTUI_NODE": part.node, "DTUI_BACKEND": plan.backend}
    if data is not None:
        env[DATA_VARIABLE] = data
    if part.gpus_chosen:
        # By default CUDA numbers the fastest GPU 0; NVML numbers GPUs by PCI bus.
        env |= {"CUDA_DEVICE_ORDER": "PCI_BUS_ID", "CUDA_VISIBLE_DEVICES": ",".join(map(str, part.gpus))}
    return env


def of_user(plan: RunPlan, part: NodePlan, run: RunSettings, node: Node) -> dict[str, str]:
    """Return the user's variables for the node: the run's, replaced by the node's own.

    Those that define the run, or a rank's place in it, are left out.
    """
    fixed = {*of_node(plan, part), *(of_rank(plan, part, 0) if plan.method == "ranks" else ())}
    return {name: value for name, value in run.variables(node).items() if name not in fixed}


def of_rank(plan: RunPlan, part: NodePlan, local_rank: int) -> dict[str, str]:
    """Return the variables that give one rank its place in the world."""
    rank = str(part.first_rank + local_rank)
    world, node = str(plan.world_size), str(part.machine_rank)
    return {
        "RANK": rank,
        "LOCAL_RANK": str(local_rank),
        "WORLD_SIZE": world,
        "LOCAL_WORLD_SIZE": str(part.local_world_size),
        "GROUP_RANK": node,
        "GROUP_WORLD_SIZE": str(len(plan.nodes)),
        "NODE_RANK": node,
        "ROLE_NAME": _ROLE,
        "ROLE_RANK": rank,
        "ROLE_WORLD_SIZE": world,
        "MASTER_ADDR": plan.master_address,
        "MASTER_PORT": str(plan.master_port),
        RESTART_COUNT: "0",
        MAX_RESTARTS: "0",
        "TORCHELASTIC_RUN_ID": plan.run,
        "TORCHELASTIC_USE_AGENT_STORE": "False",
        "TORCHELASTIC_SIGNALS_TO_HANDLE": "SIGTERM,SIGINT,SIGHUP,SIGQUIT",
    }
