"""The GPUs as torch uses them: its CUDA build, and a trial computation."""

from __future__ import annotations

import re
from typing import Final

from agent.wire.message import Message, from_data, message
from fleet.preflight.check import Check, Subject, Verdict, fail, ok, skip
from fleet.preflight.checks.environment import TORCH_NOT_DEPLOYED, torch_of
from fleet.preflight.checks.gpus import NO_GPU, nvidia_gpus
from fleet.preflight.observations import CONDITIONS, FACTS, TRIAL

#: CUDA of a torch build -> least driver on Linux and on Windows (NVIDIA: minor version compatibility).
_LEAST_DRIVER = {
    11: ((450, 80), (452, 39)),
    12: ((525, 60), (528, 33)),
    13: ((580, 65), (580, 88)),
}


def computes(subject: Subject) -> Verdict:
    """Evaluate a computation on each GPU, in a process started like a rank."""
    found = subject[TRIAL]["found"]
    if found is None:
        return skip(subject[TRIAL]["skipped"])
    if found["error"] is not None:
        return fail(
            message(
                "preflight.gpu-trial-failed",
                "the training Python could not run the trial: {error}",
                error=from_data(found["error"]),
            ),
            message("preflight.gpu-trial-failed.remedy", "deploy again, then check the log of the deploy"),
        )
    devices = found["devices"]
    bad = next((one for one in devices if one["error"]), None)
    if bad is not None:
        return fail(
            message(
                "preflight.gpu-trial-error",
                "GPU {gpu}: {error}",
                gpu=bad["index"],
                error=from_data(bad["error"]),
            ),
            message(
                "preflight.gpu-trial-error.remedy",
                "update the driver of {node}, then restart {node}",
                node=subject.node.name,
            ),
        )
    expected, version = len(subject[FACTS]["gpus"]), found["torch"] or ""
    if devices:
        return ok(
            message(
                "preflight.gpu-computes",
                "{count:n GPU} computed a correct result in {seconds:.1f} s or less",
                count=len(devices),
                seconds=max(one["seconds"] for one in devices),
            )
        )
    if not expected:
        return NO_GPU
    if not found["cuda"] and not found["hip"]:
        return fail(
            message(
                "preflight.gpu-trial-cpu-build",
                "torch {version} is a CPU build and finds none of the {count:n GPU}",
                version=version,
                count=expected,
            ),
            _install_cuda_build(),
        )
    return fail(
        message(
            "preflight.gpu-trial-not-found",
            "torch {version} finds none of the {count:n GPU} in the session that starts ranks",
            version=version,
            count=expected,
        ),
        _make_visible(subject),
    )


def cuda(subject: Subject) -> Verdict:
    """Evaluate torch's CUDA build against the driver."""
    gpus, torch, node = nvidia_gpus(subject[FACTS]), torch_of(subject), subject.node
    if torch is None:
        return TORCH_NOT_DEPLOYED
    if torch["error"] is not None:
        return skip(message("preflight.cuda-torch-broken", "torch does not load (see `backend`)"))
    if not gpus or node.gpus == 0:
        return skip(message("preflight.cuda-no-gpu", "no NVIDIA GPU in use"))
    build, version, installed = torch["cuda"], torch["version"] or "", gpus[0]["driver"] or ""
    if not build:
        return fail(
            message("preflight.cuda-cpu-build", "torch {version} is a CPU build", version=version),
            _install_cuda_build(),
        )
    release, current = _version(build), _version(installed)
    least = _LEAST_DRIVER.get(release[0] if release else 0, ((0, 0), (0, 0)))[1 if subject.on_windows else 0]
    seen = message(
        "preflight.cuda",
        "torch {version} for CUDA {cuda}, driver {driver}",
        version=version,
        cuda=build,
        driver=installed,
    )
    if current is not None and current < least:
        return fail(
            message(
                "preflight.cuda-old-driver",
                "{versions}: the driver must be {major}.{minor} or newer",
                versions=seen,
                major=least[0],
                minor=least[1],
            ),
            message("preflight.cuda-old-driver.remedy", "update the driver of {node}", node=node.name),
        )
    if not torch["sees_gpu"]:
        return fail(
            message("preflight.cuda-gpu-not-found", "{versions}: torch finds no GPU", versions=seen),
            message(
                "preflight.cuda-gpu-not-found.remedy",
                "restart {node}, then update its driver",
                node=node.name,
            ),
        )
    return ok(seen)


def _make_visible(subject: Subject) -> Message:
    name = subject.node.name
    if subject.on_windows:
        return message(
            "preflight.gpu-trial-not-found-windows.remedy",
            "update the driver of {node} (see `cuda`), or allow services to use the GPUs",
            node=name,
        )
    return message(
        "preflight.gpu-trial-not-found.remedy",
        "update the driver of {node} (see `cuda`), and check that the user may open /dev/nvidia* and that "
        "CUDA_VISIBLE_DEVICES hides no GPU",
        node=name,
    )


def _install_cuda_build() -> Message:
    return message(
        "preflight.cuda-cpu-build.remedy",
        "install the CUDA build: uv pip install torch --torch-backend=auto",
    )


def _version(text: str) -> tuple[int, int] | None:
    # Not a decimal fraction: 580.159 is newer than 580.65.
    match = re.match(r"(\d{1,9})(?:\.(\d{1,9}))?", text)
    return (int(match[1]), int(match[2] or 0)) if match else None


CHECKS: Final = (
    Check("cuda", message("check.cuda", "CUDA build"), "environment",
          message("check.cuda.why", "the driver must support the CUDA version of torch"),
          (FACTS, CONDITIONS), cuda),
    Check("gpu-computes", message("check.gpu-computes", "GPU trial"), "environment",
          message("check.gpu-computes.why",
                  "the session that starts ranks may see other GPUs than your login"),
          (FACTS, TRIAL), computes),
)  # fmt: skip
