"""A node's Accelerate config file, for ``accelerate launch --config_file``, by dtui or by hand."""

from __future__ import annotations

import json

from fleet.plan import RunPlan


def accelerate_config(plan: RunPlan, node: str) -> str:
    """Return the YAML text of a node's config.

    ``num_processes`` is the node's own count times the number of nodes, because ``accelerate launch`` starts
    ``num_processes // num_machines`` on each: so unequal nodes make the right world.
    """
    part = plan.part(node)
    machines = len(plan.nodes)
    # MULTI_GPU also for gloo on CPUs: with MULTI_CPU every node silently trains alone.
    distributed = "MULTI_GPU" if plan.world_size > 1 else "NO"
    fields: dict[str, object] = {
        "compute_environment": "LOCAL_MACHINE",
        "debug": False,
        "distributed_type": distributed,
        "gpu_ids": ",".join(map(str, part.gpus)) if part.gpus_chosen else "all",
        "machine_rank": part.machine_rank,
        "main_process_ip": plan.master_address,
        "main_process_port": plan.master_port,
        "main_training_function": "main",
        "mixed_precision": plan.mixed_precision,
        "num_machines": machines,
        "num_processes": part.local_world_size * machines,
        "rdzv_backend": "static",
        "same_network": True,
        "use_cpu": plan.cpu and distributed == "NO",
    }
    by_hand = part.processes[0].env
    variables = [
        name for name in ("ACCELERATE_USE_CPU", "GLOO_SOCKET_IFNAME", "CUDA_DEVICE_ORDER") if name in by_hand
    ]
    lines = [
        f"# {node}: ranks {part.first_rank} to {part.first_rank + part.local_world_size - 1} "
        f"of a world of {plan.world_size}. Written by dtui; a deploy or launch replaces it.",
        "# By hand, on every node: accelerate launch --config_file <this file> <program>",
    ]
    if variables:
        lines.append("# with the environment " + " ".join(f"{name}={by_hand[name]}" for name in variables))
    # JSON's scalars are YAML's, and a quoted "no" stays a text.
    lines += [f"{key}: {json.dumps(value, ensure_ascii=False)}" for key, value in fields.items()]
    return "\n".join(lines) + "\n"
