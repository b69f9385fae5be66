"""Chooses the source of GPU values, or returns the reasons why none can be used."""

from __future__ import annotations

import subprocess
from typing import List, Optional, Sequence, Tuple

from agent.facts.machine import display_vendors
from agent.sampler.amd import AmdSource, find_amd
from agent.sampler.gpu import NO_DRIVER, Raw, Source, SourceError, typed
from agent.sampler.nvidia_smi import NvidiaSmiSource, find_nvidia_smi
from agent.sampler.nvml import NvmlSource
from agent.wire.gpu import GpuAnswer, GpuSource
from agent.wire.message import Message, message, to_data
from agent.wire.reasons import system_reason


def read_gpus(source: Optional[Source]) -> Tuple[Optional[Source], GpuAnswer]:
    """Ask ``source``, or the first that works when there is none yet.

    Returns the source for the next request (None: choose again) and the answer:
    ``{"source", "error", "driver", "cuda", "gpus"}``.
    """
    reasons: List[Message] = []
    source, gpus = _ask(source, reasons) if source is not None else (None, [])
    if source is None:
        source, gpus = _choose(reasons)
    if source is None:
        why = _all_of(reasons) if reasons else _missing(display_vendors())
        return None, answer("none", why)
    return source, answer(source.name, reasons[0] if reasons else None, source.driver, source.cuda, gpus)


def answer(
    name: GpuSource,
    error: Optional[Message],
    driver: Optional[str] = None,
    cuda: Optional[str] = None,
    gpus: Sequence[Raw] = (),
) -> GpuAnswer:
    """Return the sampler's answer."""
    return {
        "source": name,
        "error": None if error is None else to_data(error),
        "driver": driver,
        "cuda": cuda,
        "gpus": [typed(gpu) for gpu in gpus],
    }


def _choose(reasons: List[Message]) -> Tuple[Optional[Source], List[Raw]]:
    try:
        found, gpus = _ask(_nvml(), reasons)
    except SourceError as error:
        found, gpus = None, []
        reasons.append(error.message)
    program = find_nvidia_smi() if found is None else None
    if program is not None:
        found, gpus = _ask(NvidiaSmiSource(program), reasons)
    amd = find_amd() if found is None else None
    if amd is not None:
        found, gpus = _ask(AmdSource(*amd), reasons)
        if found is not None:
            del reasons[:]  # an AMD node needs no NVIDIA driver
    if found is None and program is None and amd is None and "10de" not in display_vendors():
        del reasons[:]  # nor does a node without an NVIDIA GPU
    return found, gpus


def _ask(source: Source, reasons: List[Message]) -> Tuple[Optional[Source], List[Raw]]:
    try:
        return source, source.read()
    except SourceError as error:
        reasons.append(error.message)
    except subprocess.TimeoutExpired:
        reasons.append(message("gpu.program-timeout", "{program} did not answer", program=source.name))
    except OSError as error:
        failed = message(
            "gpu.program-not-started",
            "{program} can't be started: {error}",
            program=source.name,
            error=system_reason(error),
        )
        reasons.append(failed)
    return None, []


def _nvml() -> Source:
    import ctypes
    import os

    # Compiling pynvml takes a tenth of a second: not for a node that has no driver.
    if os.name != "nt":
        try:
            ctypes.CDLL("libnvidia-ml.so.1")
        except OSError:
            raise SourceError(NO_DRIVER) from None
    try:
        import pynvml
    except ImportError:
        missing = message("gpu.no-pynvml", "the agent's archive does not contain nvidia-ml-py")
        raise SourceError(missing) from None
    return NvmlSource(pynvml)


def _all_of(reasons: List[Message]) -> Message:
    return reasons[0] if len(reasons) == 1 else message("gpu.reasons", "{reasons:; }", reasons=reasons)


def _missing(vendors: List[str]) -> Message:
    if "10de" in vendors:
        return message(
            "gpu.nvidia-without-driver",
            "the node has an NVIDIA GPU, but no driver is installed; install the NVIDIA driver",
        )
    if "1002" in vendors:
        return message(
            "gpu.amd-without-program",
            "the node has an AMD GPU, but neither amd-smi nor rocm-smi is installed; install ROCm",
        )
    return message("gpu.none", "no NVIDIA or AMD GPU was found")
