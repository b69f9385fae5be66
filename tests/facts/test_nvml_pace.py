"""NVML is asked no more than it is worth: what costs much is asked rarely, what is not there hardly ever."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from agent.sampler.gpu import SourceError
from agent.sampler.nvml import NvmlSource
from tests.facts.recorded_nvml import RecordedNvml

RECORDED = Path(__file__).parent / "recorded"


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class SlowNvml(RecordedNvml):
    """Each call of ``slow`` takes that many seconds."""

    def __init__(self, recording: dict[str, Any], clock: Clock, slow: dict[str, float]) -> None:
        super().__init__(recording)
        self._clock = clock
        self._slow = slow

    def _value(self, record: Any, name: str, *rest: Any, **options: Any) -> Any:
        self._clock.now += self._slow.get(name, 0.0)
        return super()._value(record, name, *rest, **options)


def recording(name: str) -> dict[str, Any]:
    return json.loads((RECORDED / f"{name}.json").read_text(encoding="utf-8"))["output"]


def calls_of(name: str, seconds: int, slow: dict[str, float] | None = None) -> Counter[str]:
    clock = Clock()
    lib = SlowNvml(recording(name), clock, slow or {})
    source = NvmlSource(lib, clock)
    for second in range(seconds):
        clock.now = max(clock.now, 1000.0 + second)
        source.read()
    return Counter(lib.calls)


def test_what_changes_is_read_each_second_and_what_stays_hardly_ever() -> None:
    calls = calls_of("nvml_wddm", 60)
    assert calls["nvmlDeviceGetUtilizationRates"] == calls["nvmlDeviceGetTemperature"] == 60
    assert calls["nvmlDeviceGetComputeRunningProcesses"] == 30
    assert calls["nvmlDeviceGetEnforcedPowerLimit"] == 6
    assert calls["nvmlDeviceGetName"] == 1


def test_an_expensive_value_is_read_rarely_unless_it_is_essential() -> None:
    slow = {"nvmlDeviceGetPcieThroughput": 0.02, "nvmlDeviceGetPowerUsage": 0.02}
    calls = calls_of("nvml_wddm", 120, slow)
    assert calls["nvmlDeviceGetPcieThroughput"] <= 2 * 4, "40 ms in 120 s, not in each second"
    assert calls["nvmlDeviceGetPowerUsage"] == 120


def test_what_is_not_supported_is_not_asked_again_soon() -> None:
    calls = calls_of("nvml_wddm", 120)
    assert calls["nvmlDeviceGetTotalEccErrors"] == 1
    assert calls["nvmlDeviceGetTotalEnergyConsumption"] == 1


def test_rates_come_from_counters_between_two_readings() -> None:
    clock = Clock()
    record = recording("nvml_eight")
    record["devices"] = record["devices"][:1]
    source = NvmlSource(RecordedNvml(record), clock)
    source.read()
    clock.now += 2.0
    record["devices"][0]["fields"] = [
        [197, 5_000_000_000 + 8_000],
        [198, 7_000_000_000],
        [138, 0],
        [139, 2_000_010],
    ]
    (gpu,) = source.read()
    assert (gpu["pcie_tx"], gpu["pcie_rx"]) == (4000, 0)
    assert gpu["nvlink_tx"] is None, "a counter that runs backwards was reset"
    assert gpu["nvlink_rx"] == (2_000_010 - 2_000_000) * 1024 // 2


def test_a_gpu_that_is_lost_later_keeps_its_name_and_none_of_its_values() -> None:
    clock = Clock()
    record = recording("nvml_eight")
    source = NvmlSource(RecordedNvml(record), clock)
    source.read()
    record["devices"][2]["nvmlDeviceGetUtilizationRates"] = {"error": "GPU_IS_LOST"}
    clock.now += 1.0
    gpus = source.read()
    assert gpus[2]["name"] == "NVIDIA H100 80GB HBM3"
    assert gpus[2]["memory_used"] is gpus[2]["power"] is None
    assert "fallen off the bus" in gpus[2]["error"]["text"]
    assert gpus[3]["util"] == 97


def test_a_driver_that_was_unloaded_is_told_so_that_it_is_opened_anew() -> None:
    clock = Clock()
    record = recording("nvml_wddm")
    source = NvmlSource(RecordedNvml(record), clock)
    source.read()
    record["devices"][0]["nvmlDeviceGetUtilizationRates"] = {"error": "UNINITIALIZED"}
    clock.now += 1.0
    with pytest.raises(SourceError, match="Uninitialized"):
        source.read()
