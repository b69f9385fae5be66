"""NVIDIA GPUs through NVML, opened once and kept open."""

from __future__ import annotations

import time
from typing import Any, Callable, Dict, List

from agent.sampler.gpu import DRIVER_UPDATED, NO_DRIVER, Raw, SourceError, blank
from agent.sampler.nvml_readings import READINGS, Device
from agent.wire.gpu import GpuSource
from agent.wire.message import Message, message, to_data

#: A reading that took t seconds is not repeated before t * _COST_FACTOR: each may use a thousandth of a core.
_COST_FACTOR = 1000.0
_UNSUPPORTED_RETRY = 300.0
_FAILED_RETRY = 10.0

_REASONS = {
    "NVMLError_LibraryNotFound": NO_DRIVER,
    "NVMLError_DriverNotLoaded": message(
        "gpu.driver-not-loaded",
        "the NVIDIA driver is installed but not loaded; restart the node, "
        "and reinstall the driver if that does not help",
    ),
    "NVMLError_LibRmVersionMismatch": DRIVER_UPDATED,
    "NVMLError_NoPermission": message(
        "gpu.no-permission", "the user has no permission to use the NVIDIA driver"
    ),
    "NVMLError_GpuIsLost": message(
        "gpu.lost", "the GPU has fallen off the bus; restart the node, then check its power and seating"
    ),
    "NVMLError_ResetRequired": message("gpu.reset-required", "the GPU must be reset; restart the node"),
    "NVMLError_CorruptedInforom": message(
        "gpu.inforom", "the GPU's infoROM is corrupted; contact its vendor"
    ),
    "NVMLError_IrqIssue": message("gpu.interrupts", "the GPU's interrupts do not arrive; restart the node"),
}
_GPU_FAILURES = ("NVMLError_GpuIsLost", "NVMLError_ResetRequired", "NVMLError_IrqIssue")
_UNSUPPORTED = (
    "NVMLError_NotSupported",
    "NVMLError_FunctionNotFound",
    "NVMLError_NoPermission",
    "NVMLError_InvalidArgument",
)


def explain(error: BaseException) -> Message:
    """Return the meaning of an NVML error."""
    return _REASONS.get(type(error).__name__) or message(
        "gpu.driver-error", "the NVIDIA driver reported an error: {error}", error=str(error)
    )


class NvmlSource:
    """All GPUs that NVML lists. ``lib`` is the module pynvml; ``clock`` counts seconds."""

    name: GpuSource = "nvml"

    def __init__(self, lib: Any, clock: Callable[[], float] = time.perf_counter) -> None:
        self._lib = lib
        self._clock = clock
        try:
            lib.nvmlInit()
            self._devices = [self._open(index) for index in range(lib.nvmlDeviceGetCount())]
        except lib.NVMLError as error:
            raise SourceError(explain(error)) from None
        self.driver = self._ask(lib.nvmlSystemGetDriverVersion)
        version = self._ask(lib.nvmlSystemGetCudaDriverVersion)
        self.cuda = "%d.%d" % (version // 1000, version % 1000 // 10) if version else None
        self._due: Dict[Any, float] = {}

    def _open(self, index: int) -> Device:
        gpu = blank(index)
        try:
            return Device(self._lib, self._lib.nvmlDeviceGetHandleByIndex(index), gpu, self._clock)
        except self._lib.NVMLError as error:
            # One broken GPU must not hide the others.
            gpu["error"] = to_data(explain(error))
            return Device(self._lib, None, gpu, self._clock)

    def _ask(self, function: Callable[[], Any]) -> Any:
        try:
            return function()
        except self._lib.NVMLError:
            return None

    def read(self) -> List[Raw]:
        """Return all GPUs, each value as new as its cost allows."""
        for device in self._devices:
            if device.handle is not None:
                self._refresh(device)
        return [device.gpu for device in self._devices]

    def _refresh(self, device: Device) -> None:
        device.gpu["error"] = None
        for reading in READINGS:
            key = (device.gpu["index"], reading.name)
            started = self._clock()
            if started < self._due.get(key, 0.0):
                continue
            try:
                reading.read(device)
            except self._lib.NVMLError as error:
                kind = type(error).__name__
                if kind == "NVMLError_Uninitialized":
                    raise SourceError(explain(error)) from None
                if kind in _GPU_FAILURES:
                    # The values read before may be outdated.
                    kept = {name: device.gpu[name] for name in ("index", "name", "uuid")}
                    device.gpu.update(blank(kept["index"]), **kept, error=to_data(explain(error)))
                    return
                device.gpu.update(dict.fromkeys(reading.fields))
                self._due[key] = started + (_UNSUPPORTED_RETRY if kind in _UNSUPPORTED else _FAILED_RETRY)
                continue
            cost = self._clock() - started
            wait = reading.period if reading.essential else max(reading.period, cost * _COST_FACTOR)
            # Half a second early counts as due, so that a slow tick does not skip a turn.
            self._due[key] = started + wait - 0.5
