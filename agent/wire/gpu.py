"""One GPU's values, from any source."""

from __future__ import annotations

from typing import List, Literal, Optional, Tuple, TypedDict

from agent.wire.message import MessageData, message
from agent.wire.quantity import Nvml, Quantity

_MIB = 1 << 20


class GpuProcess(TypedDict):
    """A process that computes on a GPU; ``memory`` (bytes) and ``util`` (percent) are None under WDDM."""

    pid: int
    name: Optional[str]
    memory: Optional[int]
    util: Optional[int]


class MigInstance(TypedDict):
    """A MIG instance; memory in bytes."""

    index: int
    uuid: str
    memory_total: Optional[int]
    memory_used: Optional[int]


ComputeMode = Literal["default", "exclusive", "prohibited"]
DriverModel = Literal["WDDM", "TCC", "MCDM"]


class Gpu(TypedDict):
    """Everything but ``index`` may be unknown."""

    #: Number that the driver gives it.
    index: int
    name: Optional[str]
    #: Identity across reboots.
    uuid: Optional[str]
    #: Bytes.
    memory_total: Optional[int]
    #: Of NVIDIA: ``9.0``.
    compute_capability: Optional[str]
    compute_mode: Optional[ComputeMode]
    #: Of Windows.
    driver_model: Optional[DriverModel]
    #: None: MIG is off or unknown.
    mig: Optional[List[MigInstance]]
    #: Degrees C at which the clocks are reduced.
    temperature_limit: Optional[float]
    #: MHz.
    clock_max: Optional[float]
    #: Percent of the last sampling period in which a kernel ran, and in which memory was accessed.
    util: Optional[float]
    memory_util: Optional[float]
    #: Bytes, without what the driver reserves for itself.
    memory_used: Optional[int]
    #: Watts; ``power_cap`` is the limit in force.
    power: Optional[float]
    power_cap: Optional[float]
    #: Joules since the driver was loaded.
    energy: Optional[float]
    #: Degrees C.
    temperature: Optional[float]
    #: MHz.
    clock: Optional[float]
    clock_memory: Optional[float]
    #: Bit mask of the reasons why the clock is below its maximum, as NVML numbers them.
    throttle: Optional[int]
    #: Bytes per second towards (rx) and from (tx) the GPU.
    pcie_rx: Optional[int]
    pcie_tx: Optional[int]
    pcie_generation: Optional[int]
    #: Lanes.
    pcie_width: Optional[int]
    #: Bytes per second, all links.
    nvlink_rx: Optional[int]
    nvlink_tx: Optional[int]
    #: Memory errors since the driver was loaded.
    ecc_corrected: Optional[int]
    ecc_uncorrected: Optional[int]
    #: Percent of the fan's maximum.
    fan: Optional[float]
    processes: Optional[List[GpuProcess]]
    #: Why the GPU has failed; its arguments are strings, like those of the error of a sample.
    error: Optional[MessageData]


#: Every number of a GPU that is a series: those with a title in the order of the charts, then the others.
GPU_QUANTITIES: Tuple[Quantity, ...] = (
    Quantity(
        "util",
        "percent",
        title=message("metric.gpu-util", "GPU load"),
        nvidia_smi="utilization.gpu",
        amd_smi=(("usage", "gfx_activity"),),
        rocm_smi=("gpu use (%)",),
    ),
    Quantity(
        "memory_used",
        "bytes",
        title=message("metric.gpu-memory-used", "GPU memory"),
        step=_MIB,
        nvidia_smi="memory.used",
        amd_smi=(("mem_usage", "used_vram"), ("mem_usage", "used_visible_vram")),
        rocm_smi=("vram total used memory (b)",),
    ),
    Quantity(
        "power",
        "W",
        title=message("metric.gpu-power", "GPU power"),
        step=0.1,
        nvml=Nvml("nvmlDeviceGetPowerUsage", divisor=1000, essential=True),
        nvidia_smi="power.draw",
        amd_smi=(("power", "socket_power"), ("power", "current_socket_power")),
        rocm_smi=("average graphics package power", "current socket graphics package power"),
    ),
    Quantity(
        "temperature",
        "°C",
        title=message("metric.gpu-temperature", "GPU temperature"),
        nvml=Nvml("nvmlDeviceGetTemperature", ("NVML_TEMPERATURE_GPU",)),
        nvidia_smi="temperature.gpu",
        amd_smi=(("temperature", "hotspot"), ("temperature", "edge")),
        rocm_smi=("temperature (sensor edge)", "temperature (sensor junction)"),
    ),
    Quantity(
        "clock",
        "MHz",
        title=message("metric.gpu-clock", "GPU clock"),
        nvml=Nvml("nvmlDeviceGetClockInfo", ("NVML_CLOCK_SM",)),
        nvidia_smi="clocks.sm",
    ),
    Quantity(
        "memory_util",
        "percent",
        title=message("metric.gpu-memory-util", "GPU memory load"),
        nvidia_smi="utilization.memory",
        amd_smi=(("usage", "umc_activity"),),
        rocm_smi=("gpu memory read/write activity",),
    ),
    Quantity("pcie_rx", "bytes/s", title=message("metric.gpu-pcie-rx", "PCIe to the GPU"), step=_MIB),
    Quantity("pcie_tx", "bytes/s", title=message("metric.gpu-pcie-tx", "PCIe from the GPU"), step=_MIB),
    Quantity("nvlink_rx", "bytes/s", title=message("metric.gpu-nvlink-rx", "NVLink received"), step=_MIB),
    Quantity("nvlink_tx", "bytes/s", title=message("metric.gpu-nvlink-tx", "NVLink sent"), step=_MIB),
    Quantity(
        "fan",
        "percent",
        title=message("metric.gpu-fan", "GPU fan"),
        nvml=Nvml("nvmlDeviceGetFanSpeed", period=10.0),
        nvidia_smi="fan.speed",
        amd_smi=(("fan", "usage"),),
        rocm_smi=("fan speed (%)",),
    ),
    Quantity(
        "memory_total",
        "bytes",
        step=_MIB,
        nvidia_smi="memory.total",
        amd_smi=(("mem_usage", "total_vram"), ("mem_usage", "total_visible_vram")),
        rocm_smi=("vram total memory (b)",),
    ),
    Quantity(
        "power_cap",
        "W",
        nvml=Nvml("nvmlDeviceGetEnforcedPowerLimit", divisor=1000, period=10.0),
        nvidia_smi="enforced.power.limit",
    ),
    Quantity(
        "energy",
        "J",
        amd_smi=(("energy", "total_energy_consumption"),),
    ),
    Quantity(
        "clock_memory",
        "MHz",
        nvml=Nvml("nvmlDeviceGetClockInfo", ("NVML_CLOCK_MEM",)),
        nvidia_smi="clocks.mem",
    ),
    Quantity("throttle", ""),
    Quantity(
        "ecc_corrected",
        "",
        nvidia_smi="ecc.errors.corrected.volatile.total",
        amd_smi=(("ecc", "total_correctable_count"),),
    ),
    Quantity(
        "ecc_uncorrected",
        "",
        nvidia_smi="ecc.errors.uncorrected.volatile.total",
        amd_smi=(("ecc", "total_uncorrectable_count"),),
    ),
)


def gpu_value(gpu: Gpu, quantity: Quantity) -> Optional[float]:
    """Return the quantity's value in a GPU's part of a sample."""
    value = gpu.get(quantity.key)
    return value if isinstance(value, (int, float)) and not isinstance(value, bool) else None


GpuSource = Literal["nvml", "nvidia-smi", "amd-smi", "rocm-smi", "none"]


class GpuAnswer(TypedDict):
    """An answer of the GPU sampler's process; ``error`` is why there are no or only old values."""

    source: GpuSource
    error: Optional[MessageData]
    driver: Optional[str]
    cuda: Optional[str]
    gpus: List[Gpu]


class ProbedGpu(Gpu):
    """A GPU of ``probe``, with its driver's version and the newest CUDA (or ROCm) that this driver runs."""

    driver: Optional[str]
    cuda: Optional[str]
