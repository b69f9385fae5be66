"""What is read of an NVIDIA GPU, how often, and into which fields."""

from __future__ import annotations

from typing import Any, Callable, Dict, List, NamedTuple, Optional, Tuple

from agent.sampler.gpu import Raw
from agent.wire.gpu import GPU_QUANTITIES
from agent.wire.quantity import Nvml, Quantity

_ALL_LINKS = 0xFFFFFFFF
_KIB = 1024


class Device:
    """A GPU under observation: its handle, its values, and the last counters that rates need."""

    def __init__(self, lib: Any, handle: Any, gpu: Raw, clock: Callable[[], float]) -> None:
        self.lib = lib
        self.handle = handle
        self.gpu = gpu
        self._clock = clock
        self._counters: Dict[str, Tuple[float, int]] = {}
        self._names: Dict[int, Optional[str]] = {}
        #: Percent of the GPU's processors by pid, None where the driver does not report it.
        self.loads: Optional[Dict[int, int]] = None
        self.loads_seen = 0

    def rate(self, name: str, count: int) -> Optional[int]:
        """Return the counter's growth a second, None the first time and after a reset."""
        now = self._clock()
        then, before = self._counters.get(name, (now, count))
        self._counters[name] = (now, count)
        return int((count - before) / (now - then)) if now > then and count >= before else None

    def fields(self, wanted: List[Any]) -> List[Optional[int]]:
        """Return NVML field values; raises NVMLError when the first is not available."""
        values = self.lib.nvmlDeviceGetFieldValues(self.handle, wanted)
        if values[0].nvmlReturn:
            raise self.lib.NVMLError(values[0].nvmlReturn)
        return [None if value.nvmlReturn else self._number(value) for value in values]

    def _number(self, value: Any) -> int:
        if value.valueType == self.lib.NVML_VALUE_TYPE_UNSIGNED_INT:
            return int(value.value.uiVal)
        return int(value.value.ullVal)

    def process_name(self, pid: int) -> Optional[str]:
        """Return the program's name without folder and arguments, which may hold a secret."""
        if pid not in self._names:
            if len(self._names) > 256:
                self._names.clear()
            try:
                self._names[pid] = program_name(self.lib.nvmlSystemGetProcessName(pid))
            except (self.lib.NVMLError, UnicodeDecodeError):
                self._names[pid] = None
        return self._names[pid]


def program_name(text: str) -> str:
    """Return the bare name in a command line of Windows (spaces belong to it) or of Linux (they do not)."""
    if "\\" in text:
        return text.rsplit("\\", 1)[-1]
    return text.split(" ", 1)[0].rsplit("/", 1)[-1]


class Reading(NamedTuple):
    """One NVML query: at most every ``period`` seconds; an essential one at any cost."""

    name: str
    fields: Tuple[str, ...]
    read: Callable[[Device], None]
    period: float = 0.0
    essential: bool = False


def _identity(device: Device) -> None:
    lib, handle, gpu = device.lib, device.handle, device.gpu
    gpu["name"] = lib.nvmlDeviceGetName(handle)
    gpu["uuid"] = lib.nvmlDeviceGetUUID(handle)


def _capability(device: Device) -> None:
    device.gpu["compute_capability"] = "%d.%d" % tuple(
        device.lib.nvmlDeviceGetCudaComputeCapability(device.handle)
    )


def _compute_mode(device: Device) -> None:
    mode = device.lib.nvmlDeviceGetComputeMode(device.handle)
    device.gpu["compute_mode"] = {0: "default", 1: "exclusive", 2: "prohibited", 3: "exclusive"}.get(mode)


def _driver_model(device: Device) -> None:
    model = device.lib.nvmlDeviceGetCurrentDriverModel(device.handle)
    device.gpu["driver_model"] = {0: "WDDM", 1: "TCC", 2: "MCDM"}.get(model)


def _clock_limit(device: Device) -> None:
    lib = device.lib
    device.gpu["clock_max"] = lib.nvmlDeviceGetMaxClockInfo(device.handle, lib.NVML_CLOCK_SM)


def _temperature_limit(device: Device) -> None:
    lib = device.lib
    device.gpu["temperature_limit"] = lib.nvmlDeviceGetTemperatureThreshold(
        device.handle, lib.NVML_TEMPERATURE_THRESHOLD_SLOWDOWN
    )


def _utilization(device: Device) -> None:
    rates = device.lib.nvmlDeviceGetUtilizationRates(device.handle)
    device.gpu["util"], device.gpu["memory_util"] = rates.gpu, rates.memory


def _memory(device: Device) -> None:
    lib = device.lib
    try:
        memory = lib.nvmlDeviceGetMemoryInfo(device.handle, version=lib.nvmlMemory_v2)
    except (lib.NVMLError_FunctionNotFound, lib.NVMLError_NotSupported):  # drivers before 510
        memory = lib.nvmlDeviceGetMemoryInfo(device.handle)
    device.gpu["memory_total"], device.gpu["memory_used"] = memory.total, memory.used


def _energy(device: Device) -> None:
    device.gpu["energy"] = device.lib.nvmlDeviceGetTotalEnergyConsumption(device.handle) // 1000


def _throttle(device: Device) -> None:
    lib = device.lib
    try:
        device.gpu["throttle"] = lib.nvmlDeviceGetCurrentClocksEventReasons(device.handle)
    except lib.NVMLError_FunctionNotFound:  # drivers before 535 have it under its old name
        device.gpu["throttle"] = lib.nvmlDeviceGetCurrentClocksThrottleReasons(device.handle)


def _pcie(device: Device) -> None:
    lib, gpu = device.lib, device.gpu
    try:
        send, receive = device.fields(
            [lib.NVML_FI_DEV_PCIE_COUNT_TX_BYTES, lib.NVML_FI_DEV_PCIE_COUNT_RX_BYTES]
        )
    except lib.NVMLError:
        # Older GPUs measure for 20 ms while we wait.
        for field, counter in (("pcie_tx", 0), ("pcie_rx", 1)):
            gpu[field] = lib.nvmlDeviceGetPcieThroughput(device.handle, counter) * _KIB
        return
    gpu["pcie_tx"] = None if send is None else device.rate("pcie_tx", send)
    gpu["pcie_rx"] = None if receive is None else device.rate("pcie_rx", receive)


def _pcie_link(device: Device) -> None:
    device.gpu["pcie_generation"] = device.lib.nvmlDeviceGetCurrPcieLinkGeneration(device.handle)
    device.gpu["pcie_width"] = device.lib.nvmlDeviceGetCurrPcieLinkWidth(device.handle)


def _nvlink(device: Device) -> None:
    lib, gpu = device.lib, device.gpu
    counters = (lib.NVML_FI_DEV_NVLINK_THROUGHPUT_DATA_TX, lib.NVML_FI_DEV_NVLINK_THROUGHPUT_DATA_RX)
    send, receive = device.fields([(counter, _ALL_LINKS) for counter in counters])
    gpu["nvlink_tx"] = None if send is None else device.rate("nvlink_tx", send * _KIB)
    gpu["nvlink_rx"] = None if receive is None else device.rate("nvlink_rx", receive * _KIB)


def _ecc(device: Device) -> None:
    lib = device.lib
    for field, kind in (("ecc_corrected", 0), ("ecc_uncorrected", 1)):
        device.gpu[field] = lib.nvmlDeviceGetTotalEccErrors(device.handle, kind, lib.NVML_VOLATILE_ECC)


def _processes(device: Device) -> None:
    found = device.lib.nvmlDeviceGetComputeRunningProcesses(device.handle)
    device.gpu["processes"] = [
        {
            "pid": item.pid,
            "name": device.process_name(item.pid),
            "memory": item.usedGpuMemory,
            "util": None if device.loads is None else device.loads.get(item.pid, 0),
        }
        for item in sorted(found, key=lambda item: int(item.pid))
    ]


def _process_loads(device: Device) -> None:
    device.loads = None  # stays None when the driver does not report it (WDDM, MIG)
    lib, since = device.lib, device.loads_seen
    try:
        samples = lib.nvmlDeviceGetProcessUtilization(device.handle, since)
    except lib.NVMLError_NotFound:
        samples = []
    loads: Dict[int, List[int]] = {}
    for sample in samples:
        # The driver keeps a buffer and may give what it gave before.
        if sample.timeStamp > since and sample.pid:
            loads.setdefault(sample.pid, []).append(min(sample.smUtil, 100))
            device.loads_seen = max(device.loads_seen, sample.timeStamp)
    device.loads = {pid: round(sum(values) / len(values)) for pid, values in loads.items()}


def _mig(device: Device) -> None:
    lib, handle = device.lib, device.handle
    if not lib.nvmlDeviceGetMigMode(handle)[0]:
        device.gpu["mig"] = None
        return
    instances = []
    for index in range(lib.nvmlDeviceGetMaxMigDeviceCount(handle)):
        try:
            instance = lib.nvmlDeviceGetMigDeviceHandleByIndex(handle, index)
        except lib.NVMLError_NotFound:
            continue
        memory = lib.nvmlDeviceGetMemoryInfo(instance)
        instances.append(
            {
                "index": index,
                "uuid": lib.nvmlDeviceGetUUID(instance),
                "memory_total": memory.total,
                "memory_used": memory.used,
            }
        )
    device.gpu["mig"] = instances


def _single(quantity: Quantity, nvml: Nvml) -> Reading:
    """Return the reading of a quantity that one function returns."""

    def read(device: Device) -> None:
        lib = device.lib
        constants = [getattr(lib, name) for name in nvml.constants]
        value = getattr(lib, nvml.function)(device.handle, *constants)
        device.gpu[quantity.key] = value if nvml.divisor == 1 else value / nvml.divisor

    return Reading(quantity.key, (quantity.key,), read, nvml.period, nvml.essential)


#: Frequent and essential ones first; what changes rarely or costs much is read rarely.
READINGS = (
    Reading("utilization", ("util", "memory_util"), _utilization, essential=True),
    Reading("memory", ("memory_total", "memory_used"), _memory, essential=True),
    *(_single(one, one.nvml) for one in GPU_QUANTITIES if one.nvml is not None),
    Reading("throttle", ("throttle",), _throttle),
    Reading("pcie", ("pcie_tx", "pcie_rx"), _pcie),
    Reading("nvlink", ("nvlink_tx", "nvlink_rx"), _nvlink),
    Reading("process loads", (), _process_loads, period=2.0),
    Reading("processes", ("processes",), _processes, period=2.0),
    Reading("energy", ("energy",), _energy, period=10.0),
    Reading("pcie link", ("pcie_generation", "pcie_width"), _pcie_link, period=10.0),
    Reading("mig", ("mig",), _mig, period=10.0),
    Reading("ecc", ("ecc_corrected", "ecc_uncorrected"), _ecc, period=30.0),
    Reading("compute mode", ("compute_mode",), _compute_mode, period=60.0),
    Reading("identity", ("name", "uuid"), _identity, period=600.0),
    Reading("capability", ("compute_capability",), _capability, period=3600.0),
    Reading("driver model", ("driver_model",), _driver_model, period=3600.0),
    Reading("clock limit", ("clock_max",), _clock_limit, period=600.0),
    Reading("temperature limit", ("temperature_limit",), _temperature_limit, period=600.0),
)
