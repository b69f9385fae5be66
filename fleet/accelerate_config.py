"""A node's Accelerate config file, for ``accelerate launch --config_file``, by dtui or by the user."""

from __future__ import annotations

import json
import shlex

import yaml

from agent.quoting import command_line, powershell_shown
from fleet.plan import INTERPRETER, RunPlan
from fleet.plan.processes import STORE_SHIM, accelerate_config_file, from_workdir
from fleet.secrets import masked_arguments

#: Kinds of distributed training that the user's own file may ask for and that several nodes can run.
_OWN_KINDS = ("MULTI_GPU", "FSDP", "DEEPSPEED", "MEGATRON_LM")


def accelerate_config(plan: RunPlan, node: str) -> str:
    """Return the YAML text of a node's config.

    The values of the user's own configuration stay, except those that determine nodes, ranks and rendezvous.
    ``num_processes`` is the node's own count times the number of nodes, because ``accelerate launch`` starts
    ``num_processes // num_machines`` on each: so unequal nodes make the right world.
    """
    part = plan.part(node)
    first, last = part.first_rank, part.first_rank + part.local_world_size - 1
    lines = [
        f"# {node}: ranks {first} to {last} of a world of {plan.world_size}. "
        "Written by dtui; a deploy or launch replaces it.",
        "# To start this node's ranks manually, run in the project's folder:",
        f"#   {_command(plan, node)}",
    ]
    fields = _fields(plan, node)
    text = yaml.safe_dump(fields, sort_keys=False, allow_unicode=True, width=10_000)
    return "\n".join(lines) + "\n" + text


def _fields(plan: RunPlan, node: str) -> dict[str, object]:
    part, own = plan.part(node), plan.accelerate
    machines = len(plan.nodes)
    # MULTI_GPU also for gloo on CPUs: with MULTI_CPU every node silently trains alone.
    usual = "MULTI_GPU" if plan.world_size > 1 else "NO"
    distributed = own.get("distributed_type") if own.get("distributed_type") in _OWN_KINDS else usual
    fields: dict[str, object] = {
        "compute_environment": "LOCAL_MACHINE",
        "debug": False,
        "main_training_function": "main",
        "mixed_precision": plan.mixed_precision,
        "same_network": True,
        **own,
        "distributed_type": usual if distributed == "MULTI_GPU" else distributed,
        "gpu_ids": ",".join(map(str, part.gpus)) if part.gpus_chosen else "all",
        "machine_rank": part.machine_rank,
        "main_process_ip": plan.master_address,
        "main_process_port": plan.master_port,
        "num_machines": machines,
        "num_processes": part.local_world_size * machines,
        "rdzv_backend": "static",
        "use_cpu": plan.cpu and distributed == "NO",
    }
    deepspeed = fields.get("deepspeed_config")
    if distributed == "DEEPSPEED" and machines > 1 and isinstance(deepspeed, dict):
        # Each node is started by dtui, not by DeepSpeed over ssh.
        fields["deepspeed_config"] = {**deepspeed, "deepspeed_multinode_launcher": "standard"}
    return fields


def _command(plan: RunPlan, node: str) -> str:
    """Return the node's launch command for its shell (PowerShell on Windows), with the variables it needs."""
    part = plan.part(node)
    process = part.processes[0]
    # The file stays on the node, and the record of the run has a copy.
    shim = from_workdir(STORE_SHIM, plan.workdir)
    launch = [word for word in masked_arguments(process.argv) if word not in (INTERPRETER, "-u", shim)]
    if "accelerate.commands.launch" in launch:
        launch = launch[launch.index("--config_file") + 2 :]
    config = from_workdir(accelerate_config_file(node), plan.workdir)
    program = ["-m", "accelerate.commands.launch", "--config_file", config]
    names = ("ACCELERATE_USE_CPU", "GLOO_SOCKET_IFNAME", "NCCL_SOCKET_IFNAME", "CUDA_DEVICE_ORDER")
    known = part.variables | process.env
    variables = {name: known[name] for name in names if name in known}
    if plan.cpu:
        variables["ACCELERATE_USE_CPU"] = "true"
    if part.windows:
        words = ["python", shim, *program, shim, *launch]
        values = {**variables, "USE_LIBUV": "0"}.items()
        sets = "".join(f"$env:{name} = {powershell_shown(value)}; " for name, value in values)
        return _one_line(sets + command_line(words, windows=True))
    words = [*(f"{name}={value}" for name, value in variables.items()), "python", *program, *launch]
    return _one_line(" ".join(map(_quoted, words)))


def _quoted(word: str) -> str:
    name, equals, value = word.partition("=")
    return f"{name}={shlex.quote(value)}" if equals and name.isidentifier() else shlex.quote(word)


def _one_line(command: str) -> str:
    # A line break in a name that the node reports would end the comment.
    return command if command.isprintable() else json.dumps(command)
