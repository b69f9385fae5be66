"""The GPUs: number and models, driver, compute mode, and other programs that use them."""

from __future__ import annotations

import re
from collections import Counter
from typing import Final

from agent.wire.gpu import ProbedGpu
from agent.wire.message import Message, from_data, message
from fleet.facts import NodeFacts
from fleet.preflight.check import Check, Subject, Verdict, fail, ok, skip, warn
from fleet.preflight.observations import FACTS

#: A GPU of 8 GB reports a little less.
_LEAST_MEMORY = 7_500_000_000
#: A desktop uses up to this; more belongs to another program.
_DESKTOP_BYTES = 1_500_000_000
NO_GPU = skip(message("preflight.gpu-none", "no GPU"))
_NO_NVIDIA_GPU = skip(message("preflight.gpu-no-nvidia", "no NVIDIA GPU"))


def gpu(subject: Subject) -> Verdict:
    """Evaluate number and model."""
    facts, node = subject[FACTS], subject.node
    gpus = facts["gpus"]
    if node.gpus == 0:
        unused = len(gpus) + len(facts["gpus_of_others"])
        seen = message("preflight.gpu-cpu", "trains on the CPU, as set in the inventory")
        if not unused:
            return ok(seen)
        return ok(
            message("preflight.gpu-unused", "{training} ({count:n GPU} unused)", training=seen, count=unused)
        )
    if not gpus:
        return _without_gpu(subject)
    seen = _described(gpus)
    wanted = len(node.gpus) if isinstance(node.gpus, tuple) else node.gpus
    if wanted is not None and wanted > len(gpus):
        return fail(
            message(
                "preflight.gpu-too-few", "{gpus}; the inventory requires {count}", gpus=seen, count=wanted
            ),
            message(
                "preflight.gpu-too-few.remedy",
                "correct `gpus` of {node}, or find out why nvidia-smi does not list all GPUs",
                node=node.name,
            ),
        )
    broken = next((one for one in gpus if one["error"]), None)
    if broken is not None:
        return fail(
            message(
                "preflight.gpu-broken",
                "GPU {gpu} has failed: {error}",
                gpu=broken["index"],
                error=from_data(broken["error"]),
            ),
            message(
                "preflight.gpu-broken.remedy",
                "restart {node}; if the GPU fails again, exclude it with `gpus: [..]`",
                node=node.name,
            ),
        )
    return _suitability(subject, seen)


def _without_gpu(subject: Subject) -> Verdict:
    facts, node = subject[FACTS], subject.node
    if facts["gpus_of_others"]:
        return fail(
            message(
                "preflight.gpu-others-only",
                "{node} has none of the GPUs that the inventory lists; it has {gpus}",
                node=node.name,
                gpus=facts["gpus_of_others"],
            ),
            message("preflight.gpu-others-only.remedy", "correct `gpus` of {node}", node=node.name),
        )
    no_driver = message("preflight.gpu-no-driver", "no GPU driver found")
    reason = from_data(facts["gpu_error"]) or no_driver
    if node.gpus is None:
        return warn(
            message(
                "preflight.gpu-cpu-only", "no GPU: {reason}; ranks would train on the CPU", reason=reason
            ),
            message(
                "preflight.gpu-cpu-only.remedy",
                "install the GPU driver on {node}, or set gpus: 0",
                node=node.name,
            ),
        )
    return fail(
        message("preflight.gpu-not-found", "no GPU: {reason}", reason=reason),
        message(
            "preflight.gpu-not-found.remedy",
            "install the GPU driver on {node} and run nvidia-smi, or correct `gpus`",
            node=node.name,
        ),
    )


def _described(gpus: list[ProbedGpu]) -> Message:
    counted = Counter(one["name"] or "GPU" for one in gpus)
    models = [f"{count} x {name}" for name, count in sorted(counted.items())]
    least = _least_memory(gpus)
    if least is None:
        return message("preflight.gpu-models", "{models}", models=models)
    return message("preflight.gpu", "{models}, {memory:bytes} each", models=models, memory=least)


def _least_memory(gpus: list[ProbedGpu]) -> int | None:
    return min((memory for one in gpus if (memory := one["memory_total"])), default=None)


def _suitability(subject: Subject, seen: Message) -> Verdict:
    """Return the verdict on GPUs that all work."""
    facts = subject[FACTS]
    gpus = facts["gpus"]
    amd = any(_is_amd(one, facts) for one in gpus)
    if amd and subject.on_windows:
        return warn(
            message(
                "preflight.gpu-amd-windows",
                "{gpus}: AMD, for which PyTorch's index has no Windows build; dtui is not tested with it",
                gpus=seen,
            ),
            message("preflight.gpu-amd-windows.remedy", "use Linux with ROCm, or train on the CPU (gpus: 0)"),
        )
    if amd:
        return warn(
            message("preflight.gpu-amd", "{gpus}: AMD with ROCm, with which dtui is not tested", gpus=seen)
        )
    least = _least_memory(gpus)
    if least is not None and least < _LEAST_MEMORY:
        return warn(
            message("preflight.gpu-small", "{gpus}: less than 8 GB of memory", gpus=seen),
            message("preflight.gpu-small.remedy", "halve batch_size and double gradient_accumulation_steps"),
        )
    return ok(seen)


def same_gpus(subject: Subject) -> Verdict:
    """Evaluate whether all GPUs are of one model."""
    own = _models(subject[FACTS])
    if not own:
        return NO_GPU
    everywhere = (subject.of(node.name, FACTS) for node in subject.situation.nodes)
    models = sorted({model for found in everywhere if found is not None for model in _models(found)})
    if len(models) == 1:
        return ok(message("preflight.gpu-same", "all GPUs of the run: {model}", model=models[0]))
    others = [model for model in models if model not in own]
    if others:
        seen = message(
            "preflight.gpu-other-models", "{own}; other nodes have {others}", own=own, others=others
        )
    else:
        seen = message("preflight.gpu-several-models", "several models: {own}", own=own)
    return warn(
        seen,
        message(
            "preflight.gpu-other-models.remedy",
            "train on different models in separate runs: every step waits for the slowest GPU",
        ),
    )


def driver(subject: Subject) -> Verdict:
    """Evaluate whether the driver reports its version."""
    gpus = nvidia_gpus(subject[FACTS])
    if not gpus:
        return _NO_NVIDIA_GPU
    version, cuda = gpus[0]["driver"], gpus[0]["cuda"]
    if version:
        seen = message("preflight.driver", "driver {version}", version=version)
    else:
        seen = message("preflight.driver-unknown", "driver of unknown version")
    if cuda:
        seen = message(
            "preflight.driver-cuda", "{driver}, supports CUDA up to {cuda}", driver=seen, cuda=cuda
        )
    if version:
        return ok(seen)
    return warn(
        seen,
        message("preflight.driver-unknown.remedy", "run nvidia-smi on {node}", node=subject.node.name),
    )


def mode(subject: Subject) -> Verdict:
    """Evaluate the compute mode."""
    gpus = subject[FACTS]["gpus"]
    if not gpus:
        return NO_GPU
    modes = {one["index"]: one["compute_mode"] for one in gpus}
    prohibited = [index for index, value in modes.items() if value == "prohibited"]
    if prohibited:
        return fail(
            message(
                "preflight.gpu-mode-prohibited", "GPU {gpus} is in Prohibited compute mode", gpus=prohibited
            ),
            message(
                "preflight.gpu-mode-prohibited.remedy",
                "run on {node}: nvidia-smi -i {gpu} -c DEFAULT",
                node=subject.node.name,
                gpu=prohibited[0],
            ),
        )
    partitioned = [one["index"] for one in gpus if one["mig"]]
    if partitioned:
        return warn(
            message(
                "preflight.gpu-mode-mig",
                "GPU {gpus} is partitioned (MIG): torch uses one instance per process",
                gpus=partitioned,
            ),
            message(
                "preflight.gpu-mode-mig.remedy",
                "disable MIG on {node} to train on several GPUs",
                node=subject.node.name,
            ),
        )
    known = sorted({value for value in modes.values() if value})
    if not known:
        return skip(message("preflight.gpu-mode-unknown", "not reported by the driver"))
    return ok(Message(", ".join(known)))


def busy(subject: Subject) -> Verdict:
    """Evaluate whether other programs use the GPUs."""
    gpus = subject[FACTS]["gpus"]
    if not gpus:
        return NO_GPU
    used = []
    for one in gpus:
        memory = one["memory_used"] or 0
        programs = [_file_name(process["name"] or str(process["pid"])) for process in one["processes"] or ()]
        if memory > _DESKTOP_BYTES or (programs and not subject.on_windows):
            used.append(_usage(one["index"], memory, sorted(set(programs))[:3]))
    if not used:
        return ok(message("preflight.gpu-free", "free"))
    return warn(
        message("preflight.gpu-busy", "{gpus:; }", gpus=used),
        message(
            "preflight.gpu-busy.remedy",
            "end these programs on {node}, or exclude the GPUs with `gpus: [..]`",
            node=subject.node.name,
        ),
    )


def _usage(index: int, memory: int, programs: list[str]) -> Message:
    if not programs:
        return message("preflight.gpu-used", "GPU {gpu}: {memory:bytes} in use", gpu=index, memory=memory)
    return message(
        "preflight.gpu-used-by",
        "GPU {gpu}: {memory:bytes} in use by {programs}",
        gpu=index,
        memory=memory,
        programs=programs,
    )


def _models(facts: NodeFacts) -> list[str]:
    return sorted({name for one in facts["gpus"] if (name := one["name"])})


def nvidia_gpus(facts: NodeFacts) -> list[ProbedGpu]:
    """Return the node's GPUs that are not AMD's."""
    return [one for one in facts["gpus"] if not _is_amd(one, facts)]


def _is_amd(one: ProbedGpu, facts: NodeFacts) -> bool:
    text = f"{one['name'] or ''} {facts['gpu_source']}".lower()
    return "amd" in text or "radeon" in text or "rocm" in text


def _file_name(path: str) -> str:
    return re.split(r"[\\/]", path)[-1]


CHECKS: Final = (
    Check("gpu", message("check.gpu", "GPUs"), "machine",
          message("check.gpu.why", "each GPU runs one rank"),
          (FACTS,), gpu),
    Check("gpu-same", message("check.gpu-same", "same GPUs everywhere"), "machine",
          message("check.gpu-same.why", "every step waits for the slowest GPU"),
          (FACTS,), same_gpus, "fleet"),
    Check("driver", message("check.driver", "GPU driver"), "machine",
          message("check.driver.why", "the driver determines which CUDA versions work"),
          (FACTS,), driver),
    Check("gpu-mode", message("check.gpu-mode", "compute mode and MIG"), "machine",
          message("check.gpu-mode.why", "a GPU in the wrong mode rejects ranks"),
          (FACTS,), mode),
    Check("gpu-free", message("check.gpu-free", "free GPUs"), "machine",
          message("check.gpu-free.why", "memory used by other programs is not available for training"),
          (FACTS,), busy),
)  # fmt: skip
