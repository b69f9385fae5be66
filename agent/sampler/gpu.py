"""One GPU's values, whichever source read them. Sizes are bytes, rates bytes a second."""

from __future__ import annotations

from typing import Any, Dict, List, Optional, Protocol

Gpu = Dict[str, Any]

#: Field -> unit and meaning. Every one but ``index`` may be None.
FIELDS = {
    "index": "number that the driver gives it",
    "name": "product name",
    "uuid": "identity across reboots",
    "memory_total": "bytes",
    "compute_capability": "of NVIDIA, as text: 9.0",
    "compute_mode": "default, exclusive or prohibited",
    "driver_model": "of Windows: WDDM, TCC (WDM) or MCDM",
    "mig": "list of MIG instances {index, uuid, memory_total, memory_used}; None: MIG is off or unknown",
    "temperature_limit": "degrees C at which the clocks are reduced",
    "clock_max": "MHz",
    "util": "percent of the last sampling period in which a kernel ran",
    "memory_util": "percent of that period in which memory was read or written",
    "memory_used": "bytes, without what the driver reserves for itself",
    "power": "watts",
    "power_cap": "watts, the limit in force",
    "energy": "joules since the driver was loaded",
    "temperature": "degrees C",
    "clock": "MHz",
    "clock_memory": "MHz",
    "throttle": "bit mask of reasons why the clock is not at its maximum, as NVML numbers them",
    "pcie_rx": "bytes a second towards the GPU",
    "pcie_tx": "bytes a second from the GPU",
    "pcie_generation": "current",
    "pcie_width": "lanes, current",
    "nvlink_rx": "bytes a second, all links",
    "nvlink_tx": "bytes a second, all links",
    "ecc_corrected": "memory errors since the driver was loaded",
    "ecc_uncorrected": "memory errors since the driver was loaded",
    "fan": "percent of the fan's maximum",
    "processes": "list of {pid, name, memory, util}; the last two are None under WDDM",
    "error": "a sentence when the GPU has failed",
}


def blank(index: int) -> Gpu:
    """Return a GPU of which nothing is known but its number."""
    gpu: Gpu = dict.fromkeys(FIELDS)
    gpu["index"] = index
    return gpu


class SourceError(Exception):
    """A source can't be used; the text is a sentence for a person."""


class Source(Protocol):
    """Something that knows GPUs: NVML, or a vendor's program."""

    name: str
    driver: Optional[str]
    #: Newest CUDA (or ROCm) version that the driver runs, as text.
    cuda: Optional[str]

    def read(self) -> List[Gpu]:
        """Return all GPUs; raises SourceError when the source has failed."""
        ...
