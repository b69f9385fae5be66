"""Cost and answer of each NVML function: the raw data of ``benchmarks.telemetry``."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import pynvml

from agent.sampler.gpu import blank
from agent.sampler.nvml import NvmlSource
from agent.sampler.nvml_readings import READINGS, Device

_CALLS = 20


class Listening:
    """The module pynvml, with every device function's arguments and outcome noted down."""

    def __init__(self) -> None:
        self.answers: dict[str, list[tuple[tuple[Any, ...], Any]]] = {}

    def __getattr__(self, name: str) -> Any:
        found = getattr(pynvml, name)
        if not name.startswith(("nvmlDevice", "nvmlSystem")):
            return found

        def call(*arguments: Any, **options: Any) -> Any:
            try:
                value = found(*arguments, **options)
            except pynvml.NVMLError as error:
                self._note(name, arguments, {"error": _error_name(error)})
                raise
            self._note(name, arguments, value)
            return value

        return call

    def _note(self, name: str, arguments: tuple[Any, ...], value: Any) -> None:
        self.answers.setdefault(name, []).append((arguments, value))


def time_nvml() -> dict[str, dict[str, Any]]:
    """Return the median seconds of each reading of GPU 0, and the error of one that is not supported."""
    pynvml.nvmlInit()
    handle = pynvml.nvmlDeviceGetHandleByIndex(0)
    device = Device(pynvml, handle, blank(0), time.perf_counter)
    found: dict[str, dict[str, Any]] = {}
    for reading in READINGS:
        wall, cpu, failure = [], [], None
        for _ in range(_CALLS):
            began, began_cpu = time.perf_counter(), time.thread_time()
            try:
                reading.read(device)
            except pynvml.NVMLError as error:
                failure = str(error)
            wall.append(time.perf_counter() - began)
            cpu.append(time.thread_time() - began_cpu)
        found[reading.name] = {"wall": round(median(wall), 6), "cpu": round(median(cpu), 6), "error": failure}
    pynvml.nvmlShutdown()
    return found


def record_nvml(path: Path) -> None:
    """Write NVML's answers for GPU 0 as a file that tests/facts can replay; uuid and pids are invented."""
    listening = Listening()
    source = NvmlSource(listening)
    (gpu, *_) = source.read()
    system: dict[str, Any] = {}
    device: dict[str, Any] = {}
    for name, calls in listening.answers.items():
        values = [_plain(name, arguments, value) for arguments, value in calls]
        if name.startswith("nvmlSystem"):
            system[name] = values[0]
        elif name == "nvmlDeviceGetFieldValues":
            device["fields"] = [pair for value in values if isinstance(value, list) for pair in value]
        elif name in ("nvmlDeviceGetCount", "nvmlDeviceGetHandleByIndex"):
            continue
        elif len(values) == 1:
            device[name] = values[0]
        else:
            device[name] = [
                [list(arguments[1:]), value] for (arguments, _), value in zip(calls, values, strict=True)
            ]
    device["nvmlDeviceGetUUID"] = gpu["uuid"] = "GPU-0"
    record = {
        "source": "nvml",
        "about": "recorded by benchmarks/telemetry.py",
        "output": {"system": system, "devices": [device]},
        "fact": {"driver": source.driver, "cuda": source.cuda, "gpus": [gpu]},
    }
    path.write_text(json.dumps(record, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def _plain(name: str, arguments: tuple[Any, ...], value: Any) -> Any:
    if isinstance(value, dict):
        return value
    if name == "nvmlDeviceGetFieldValues":
        wanted = [item[0] if isinstance(item, tuple) else item for item in arguments[1]]
        return [
            [field, int(item.value.ullVal)]
            for field, item in zip(wanted, value, strict=True)
            if not item.nvmlReturn
        ]
    convert: dict[str, Callable[[Any], Any]] = {
        "nvmlDeviceGetUtilizationRates": lambda rates: {"gpu": rates.gpu, "memory": rates.memory},
        "nvmlDeviceGetMemoryInfo": lambda memory: {"total": memory.total, "used": memory.used},
        "nvmlDeviceGetComputeRunningProcesses": lambda found: [
            {"pid": item.pid, "usedGpuMemory": item.usedGpuMemory} for item in found
        ],
        "nvmlDeviceGetProcessUtilization": lambda found: [
            {key: getattr(item, key) for key in ("pid", "timeStamp", "smUtil", "memUtil")} for item in found
        ],
    }
    return convert.get(name, lambda same: same)(value)


def _error_name(error: Any) -> str:
    names = (name for name in dir(pynvml) if name.startswith("NVML_ERROR_"))
    found = next(name for name in names if getattr(pynvml, name) == error.value)
    return found.removeprefix("NVML_ERROR_")
