"""NVIDIA GPUs through NVML, opened once and kept open."""

from __future__ import annotations

import time
from typing import Any, Callable, Dict, List

from agent.sampler.gpu import Gpu, SourceError, blank
from agent.sampler.nvml_readings import READINGS, Device

#: A reading that took t seconds is not repeated before t * _PATIENCE: each may use a thousandth of a core.
_PATIENCE = 1000.0
_UNSUPPORTED_RETRY = 300.0
_FAILED_RETRY = 10.0

_REASONS = {
    "NVMLError_LibraryNotFound": "no NVIDIA driver is installed (its library NVML was not found)",
    "NVMLError_DriverNotLoaded": "the NVIDIA driver is installed but not loaded; restart the node, "
    "and reinstall the driver if that does not help",
    "NVMLError_LibRmVersionMismatch": "the NVIDIA driver was updated while an older one is still loaded; "
    "restart the node",
    "NVMLError_NoPermission": "this user may not talk to the NVIDIA driver",
    "NVMLError_GpuIsLost": "the GPU has fallen off the bus; restart the node, then check its power and seat",
    "NVMLError_ResetRequired": "the GPU must be reset; restart the node",
    "NVMLError_CorruptedInforom": "the GPU's information memory is damaged; ask its vendor",
    "NVMLError_IrqIssue": "the GPU's interrupts do not arrive; restart the node",
}
_GPU_FAILURES = ("NVMLError_GpuIsLost", "NVMLError_ResetRequired", "NVMLError_IrqIssue")
_UNSUPPORTED = (
    "NVMLError_NotSupported",
    "NVMLError_FunctionNotFound",
    "NVMLError_NoPermission",
    "NVMLError_InvalidArgument",
)


def explain(error: BaseException) -> str:
    """Return what an NVML error means for a person."""
    return _REASONS.get(type(error).__name__) or "the NVIDIA driver answered: %s" % error


class NvmlSource:
    """All GPUs that NVML lists. ``lib`` is the module pynvml; ``clock`` counts seconds."""

    name = "nvml"

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
            gpu["error"] = explain(error)
            return Device(self._lib, None, gpu, self._clock)

    def _ask(self, function: Callable[[], Any]) -> Any:
        try:
            return function()
        except self._lib.NVMLError:
            return None

    def read(self) -> List[Gpu]:
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
                    # What it said before is not what it is now.
                    kept = {name: device.gpu[name] for name in ("index", "name", "uuid")}
                    device.gpu.update(blank(kept["index"]), **kept, error=explain(error))
                    return
                device.gpu.update(dict.fromkeys(reading.fields))
                self._due[key] = started + (_UNSUPPORTED_RETRY if kind in _UNSUPPORTED else _FAILED_RETRY)
                continue
            cost = self._clock() - started
            wait = reading.period if reading.essential else max(reading.period, cost * _PATIENCE)
            # Half a second early counts as due, so that a slow tick does not skip a turn.
            self._due[key] = started + wait - 0.5
