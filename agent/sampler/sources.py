"""Chooses who is asked for GPUs, and says why nobody can be."""

from __future__ import annotations

import subprocess
from typing import Any, Dict, List, Optional, Tuple

from agent.facts.machine import display_vendors
from agent.sampler.amd import AmdSource, find_amd
from agent.sampler.gpu import Gpu, Source, SourceError
from agent.sampler.nvidia_smi import NvidiaSmiSource, find_nvidia_smi
from agent.sampler.nvml import NvmlSource

_NO_GPU = "no NVIDIA or AMD GPU was found"


def read_gpus(source: Optional[Source]) -> Tuple[Optional[Source], Dict[str, Any]]:
    """Ask ``source``, or the first that works when there is none yet.

    Returns the source to ask next time (None: choose again) and the answer:
    ``{"source", "error", "driver", "cuda", "gpus"}``.
    """
    reasons: List[str] = []
    source, gpus = _ask(source, reasons) if source is not None else (None, [])
    if source is None:
        source, gpus = _choose(reasons)
    if source is None:
        return None, answer("none", "; ".join(reasons) or _missing(display_vendors()))
    return source, answer(source.name, reasons[0] if reasons else None, source.driver, source.cuda, gpus)


def answer(
    name: str,
    error: Optional[str],
    driver: Optional[str] = None,
    cuda: Optional[str] = None,
    gpus: Optional[List[Gpu]] = None,
) -> Dict[str, Any]:
    """Return what a node says of its GPUs; ``source`` is nvml, nvidia-smi, amd-smi, rocm-smi or none."""
    return {"source": name, "error": error, "driver": driver, "cuda": cuda, "gpus": gpus or []}


def _choose(reasons: List[str]) -> Tuple[Optional[Source], List[Gpu]]:
    try:
        found, gpus = _ask(_nvml(), reasons)
    except SourceError as error:
        found, gpus = None, []
        reasons.append(str(error))
    program = find_nvidia_smi() if found is None else None
    if program is not None:
        found, gpus = _ask(NvidiaSmiSource(program), reasons)
    amd = find_amd() if found is None else None
    if amd is not None:
        found, gpus = _ask(AmdSource(*amd), reasons)
        if found is not None:
            del reasons[:]  # that there is no NVIDIA driver is right on an AMD node
    if found is None and program is None and amd is None and "10de" not in display_vendors():
        del reasons[:]  # and it is no fault where no NVIDIA GPU is
    return found, gpus


def _ask(source: Source, reasons: List[str]) -> Tuple[Optional[Source], List[Gpu]]:
    try:
        return source, source.read()
    except SourceError as error:
        reasons.append(str(error))
    except (OSError, subprocess.TimeoutExpired) as error:
        reasons.append("%s did not answer: %s" % (source.name, error))
    return None, []


def _nvml() -> Source:
    import ctypes
    import os

    # Compiling pynvml takes a tenth of a second: not for a node that has no driver.
    if os.name != "nt":
        try:
            ctypes.CDLL("libnvidia-ml.so.1")
        except OSError:
            raise SourceError("no NVIDIA driver is installed (its library NVML was not found)") from None
    try:
        import pynvml
    except ImportError:
        raise SourceError("the agent was packed without nvidia-ml-py") from None
    return NvmlSource(pynvml)


def _missing(vendors: List[str]) -> str:
    if "10de" in vendors:
        return "an NVIDIA GPU is built in, but no driver is installed; install NVIDIA's driver"
    if "1002" in vendors:
        return "an AMD GPU is built in, but neither amd-smi nor rocm-smi is there to tell about it"
    return _NO_GPU
