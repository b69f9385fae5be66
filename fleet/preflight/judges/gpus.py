"""The GPUs: are there any, do they fit together, does anybody else use them, do they really compute."""

from __future__ import annotations

import re
from collections import Counter
from typing import Any

from fleet.facts import OTHERS
from fleet.preflight.check import Subject, Verdict, fail, ok, skip, warn
from fleet.preflight.judges.sizes import GB, size

_LEAST_MEMORY = 7.5 * GB
#: What a desktop takes; more is somebody's work.
_DESKTOP_BYTES = 1.5 * GB
#: CUDA of a torch build -> least driver on Linux and on Windows (NVIDIA: minor version compatibility).
_LEAST_DRIVER = {
    11: ((450, 80), (452, 39)),
    12: ((525, 60), (528, 33)),
    13: ((580, 65), (580, 88)),
}


def gpu(subject: Subject) -> Verdict:
    """Judge number and kind."""
    facts, node = subject["facts"], subject.node
    gpus = facts.get("gpus") or []
    if node.gpus == 0:
        unused = len(gpus) + len(facts.get(OTHERS) or ())
        return ok(f"trains on its CPU, as the inventory says{f' ({unused} GPU unused)' if unused else ''}")
    if not gpus and (others := facts.get(OTHERS)):
        has = ", ".join(map(str, others))
        return fail(f"none of the GPUs that the inventory names; it has: {has}", "correct `gpus`")
    if not gpus:
        reason = facts.get("gpu_error") or "no driver tells of any"
        if node.gpus is None:
            return warn(
                f"no GPU: {reason}; ranks would train on the CPU", "install the GPU's driver, or set gpus: 0"
            )
        return fail(f"no GPU: {reason}", "install the driver and look at nvidia-smi there, or correct `gpus`")
    counted = Counter(str(one.get("name") or "GPU") for one in gpus)
    seen = ", ".join(f"{count} x {name}" for name, count in sorted(counted.items()))
    least = min((one["memory_total"] for one in gpus if one.get("memory_total")), default=None)
    seen += f", {size(least)} each" if least else ""
    wanted = len(node.gpus) if isinstance(node.gpus, tuple) else node.gpus
    if wanted is not None and wanted > len(gpus):
        return fail(f"{seen}; the inventory says {wanted}", "correct `gpus`, or look for the missing ones")
    broken = [one for one in gpus if one.get("error")]
    if broken:
        return fail(
            f"GPU {broken[0]['index']} has failed: {broken[0]['error']}",
            "restart the machine; if it comes back, leave the GPU out by `gpus: [..]`",
        )
    amd = [one for one in gpus if _is_amd(one, facts)]
    if amd and subject.on_windows:
        return warn(
            f"{seen}: AMD. torch for Windows has no ROCm build in the usual place, so this is not tested",
            "use Linux with ROCm, or train on the CPU (gpus: 0)",
        )
    if amd:
        return warn(f"{seen}: AMD, by ROCm. dtui has not been tested with it", "")
    if least is not None and least < _LEAST_MEMORY:
        return warn(f"{seen}: less than 8 GB", "halve batch_size and double gradient_accumulation_steps")
    return ok(seen)


def same_gpus(subject: Subject) -> Verdict:
    """Judge whether the slowest kind of GPU holds the others up."""
    own = _kinds(subject["facts"])
    if not own:
        return skip("no GPU")
    kinds = {node.name: _kinds(subject.of(node.name, "facts") or {}) for node in subject.situation.nodes}
    everything = sorted({kind for found in kinds.values() for kind in found})
    if len(everything) > 1:
        others = [kind for kind in everything if kind not in own]
        return warn(
            f"{', '.join(own)}" + (f" beside {', '.join(others)}" if others else ""),
            "every step waits for the slowest GPU: run unlike GPUs apart",
        )
    return ok(f"all {everything[0]}")


def driver(subject: Subject) -> Verdict:
    """Judge the driver, and against torch's CUDA where an environment is there."""
    facts = subject["facts"]
    gpus = [one for one in facts.get("gpus") or () if not _is_amd(one, facts)]
    if not gpus:
        return skip("no NVIDIA GPU")
    version, cuda = gpus[0].get("driver"), gpus[0].get("cuda")
    seen = f"driver {version or 'of unknown version'}" + (f", runs CUDA up to {cuda}" if cuda else "")
    return ok(seen) if version else warn(seen, "look at nvidia-smi there")


def mode(subject: Subject) -> Verdict:
    """Judge the compute mode."""
    gpus = subject["facts"].get("gpus") or []
    if not gpus:
        return skip("no GPU")
    modes = {one["index"]: one.get("compute_mode") for one in gpus}
    prohibited = [index for index, value in modes.items() if value == "prohibited"]
    if prohibited:
        return fail(f"GPU {prohibited} may not compute", f"nvidia-smi -i {prohibited[0]} -c DEFAULT there")
    partitioned = [one["index"] for one in gpus if one.get("mig")]
    if partitioned:
        return warn(
            f"GPU {partitioned} is split (MIG): torch uses one part a process",
            "switch MIG off for training over several GPUs",
        )
    known = sorted({str(value) for value in modes.values() if value})
    return ok(", ".join(known)) if known else skip("the driver does not tell")


def busy(subject: Subject) -> Verdict:
    """Judge what else uses the GPUs."""
    gpus = subject["facts"].get("gpus") or []
    if not gpus:
        return skip("no GPU")
    used = []
    for one in gpus:
        memory = one.get("memory_used") or 0
        programs = [_short(str(process.get("name") or process.get("pid"))) for process in _computing(one)]
        if memory > _DESKTOP_BYTES or (programs and not subject.on_windows):
            gpu, by = one["index"], ", ".join(sorted(set(programs))[:3])
            told = f"GPU {gpu}: {size(memory)} in use by {by}" if by else f"GPU {gpu}: {size(memory)} in use"
            used.append(told)
    if used:
        return warn("; ".join(used), "end those programs, or leave the GPUs out by `gpus: [..]`")
    return ok("free")


def computes(subject: Subject) -> Verdict:
    """Judge a real operation on each GPU, started the way a rank is."""
    found = subject["trial"]
    if found.get("skipped"):
        return skip(found["skipped"])
    if found.get("error"):
        return fail(
            f"the training Python could not try: {found['error']}", "deploy again, and look at the log"
        )
    devices = found["devices"]
    bad = [one for one in devices if one["error"]]
    if bad:
        return fail(
            f"GPU {bad[0]['index']}: {bad[0]['error']}", "update the driver, then restart the machine"
        )
    expected = len(subject["facts"].get("gpus") or ())
    if expected and not devices:
        build = found.get("cuda") or found.get("hip")
        if not build:
            return fail(
                f"torch {found['torch']} is a build for the CPU, so it sees none of the {expected} GPUs",
                "install the build for CUDA: uv pip install torch --torch-backend=auto",
            )
        return fail(
            f"torch {found['torch']} sees none of the {expected} GPUs where ranks are started",
            "the driver may be too old for it, or hidden from services: see `cuda`",
        )
    if not devices:
        return skip("no GPU")
    slowest = max(one["seconds"] for one in devices)
    return ok(f"{len(devices)} GPUs computed a right result in at most {slowest:.1f} s")


def cuda(subject: Subject) -> Verdict:
    """Judge torch's CUDA build against the driver."""
    facts = subject["facts"]
    gpus = [one for one in facts.get("gpus") or () if not _is_amd(one, facts)]
    torch = ((subject["conditions"]["environment"] or {}).get("torch")) or None
    if torch is None or "error" in torch:
        return skip("no torch is deployed" if torch is None else "torch does not load, see `backend`")
    if not gpus or subject.node.gpus == 0:
        return skip("no NVIDIA GPU is used")
    build = torch.get("cuda")
    if not build:
        return fail(
            f"torch {torch['version']} is a build for the CPU",
            "install the build for CUDA: uv pip install torch --torch-backend=auto",
        )
    major = int(str(build).split(".")[0])
    installed = _version(gpus[0].get("driver"))
    least = _LEAST_DRIVER.get(major, ((0, 0), (0, 0)))[1 if subject.on_windows else 0]
    seen = f"torch {torch['version']} for CUDA {build}, driver {gpus[0].get('driver')}"
    if installed is not None and installed < least:
        return fail(f"{seen}: the driver must be {least[0]}.{least[1]} or newer", "update the driver")
    if not torch.get("sees_gpu"):
        return fail(f"{seen}, and it sees no GPU", "restart the machine, then update the driver")
    return ok(seen)


def _kinds(facts: dict[str, Any]) -> list[str]:
    return sorted({str(one.get("name")) for one in facts.get("gpus") or () if one.get("name")})


def _is_amd(one: dict[str, Any], facts: dict[str, Any]) -> bool:
    text = f"{one.get('name') or ''} {facts.get('gpu_source') or ''}".lower()
    return "amd" in text or "radeon" in text or "rocm" in text


def _computing(one: dict[str, Any]) -> list[dict[str, Any]]:
    return list(one.get("processes") or ())


def _short(path: str) -> str:
    return re.split(r"[\\/]", path)[-1]


def _version(text: object) -> tuple[int, int] | None:
    # No decimal fraction: 580.159 is newer than 580.65.
    match = re.match(r"(\d+)(?:\.(\d+))?", str(text or ""))
    return (int(match[1]), int(match[2] or 0)) if match else None
