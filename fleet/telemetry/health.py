"""Four health indicators of a node: GPU, network, data loading, memory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from msgspec import Struct

from agent.wire.message import EMPTY, Message, from_data, message
from agent.wire.telemetry import Sample
from fleet.telemetry.settings import Band, TelemetrySettings
from fleet.telemetry.steps import Bottleneck
from fleet.telemetry.throttle import harmful

INDICATORS = ("gpu", "network", "data", "memory")

_REMEDIES = {
    "gpu": message("telemetry.gpu.remedy", "increase batch_size, or check the bottleneck of the run"),
    "network": message(
        "telemetry.network.remedy",
        "use a faster network, increase gradient_accumulation_steps, or train with mixed precision",
    ),
    "data": message(
        "telemetry.data.remedy",
        "increase num_workers, use persistent workers, or store the data on a faster disk",
    ),
    "memory": message("telemetry.memory.remedy", "halve batch_size and double gradient_accumulation_steps"),
}


class Indicator(Struct, frozen=True):
    """``status`` is ok, warn, fail or skip (no data); ``value`` is in percent; ``finding`` is a text."""

    name: str
    status: str
    value: float | None
    finding: Message
    remedy: Message = EMPTY


_ORDER = ("skip", "ok", "warn", "fail")


def worst(indicators: Mapping[str, Sequence[Indicator]]) -> tuple[tuple[str, Indicator], ...]:
    """Return each of the four indicators as of the node where it is worst, with that node's name."""
    found: dict[str, tuple[str, Indicator]] = {}
    for node, shown in indicators.items():
        for indicator in shown:
            other = found.get(indicator.name)
            if other is None or _ORDER.index(indicator.status) > _ORDER.index(other[1].status):
                found[indicator.name] = (node, indicator)
    return tuple(found[name] for name in INDICATORS if name in found)


def indicators_of(
    samples: Sequence[Sample], bottleneck: Bottleneck, settings: TelemetrySettings, *, training: bool
) -> tuple[Indicator, ...]:
    """Return the four indicators of a node from its samples of the window, the newest last."""
    newest = samples[-1] if samples else None
    return (
        _gpu_indicator(samples, newest, settings.gpu, training=training),
        _indicator("network", network_use(samples), settings.network),
        _indicator("data", bottleneck.data, settings.data),
        _indicator("memory", memory_use(newest), settings.memory),
    )


def mean_util(samples: Sequence[Sample]) -> float | None:
    """Return the mean utilisation of the node's GPUs over the samples; stale ones do not count."""
    found = [gpu["util"] for sample in samples if not sample["stale"] for gpu in sample["gpus"]]
    values = [value for value in found if value is not None]
    return sum(values) / len(values) if values else None


def network_use(samples: Sequence[Sample]) -> float | None:
    """Return the percentage of the adapter's speed in use, of the busier direction."""
    shares = []
    for sample in samples:
        network = sample["network"]
        speed, rates = network["speed_mbps"], (network["rx"], network["tx"])
        known = [rate for rate in rates if rate is not None]
        if speed and known:
            shares.append(100 * max(known) * 8 / (speed * 1e6))
    return sum(shares) / len(shares) if shares else None


def memory_use(sample: Sample | None) -> float | None:
    """Return the percentage in use of the fullest memory: each GPU's, and the machine's RAM."""
    if sample is None:
        return None
    pairs = [(gpu["memory_used"], gpu["memory_total"]) for gpu in sample["gpus"]]
    pairs.append((sample["ram"]["used"], sample["ram"]["total"]))
    shares = [100 * used / total for used, total in pairs if used is not None and total]
    return max(shares) if shares else None


def _gpu_indicator(
    samples: Sequence[Sample], newest: Sample | None, band: Band, *, training: bool
) -> Indicator:
    gpus = [] if newest is None else newest["gpus"]
    if newest is not None and newest["stale"]:
        silent = message("telemetry.stale", "the GPU driver does not answer")
        finding = from_data(newest["error"]) if newest["error"] else silent
        remedy = message("telemetry.stale.remedy", "restart the node if this continues")
        return Indicator("gpu", "fail", None, finding, remedy)
    for gpu in gpus:
        if gpu["error"]:
            text = message(
                "telemetry.gpu-error",
                "GPU {index}: {error}",
                index=gpu["index"],
                error=from_data(gpu["error"]),
            )
            return Indicator("gpu", "fail", None, text)
    value = mean_util(samples)
    if value is None:
        return Indicator("gpu", "skip", value, message("telemetry.no-gpu", "no GPU"))
    if not training:
        return Indicator("gpu", "skip", value, message("telemetry.idle", "no run on this node"))
    indicator = _indicator("gpu", value, band)
    slowed = {gpu["index"]: words for gpu in gpus if (words := harmful(gpu["throttle"]))}
    if slowed and indicator.status != "fail":
        each = [
            message("telemetry.slowed", "GPU {index} is throttled: {causes}", index=index, causes=words)
            for index, words in slowed.items()
        ]
        text = message("telemetry.all-slowed", "{gpus:; }", gpus=each)
        remedy = message("telemetry.slowed.remedy", "check the cooling and the power supply")
        return Indicator("gpu", "warn", value, text, remedy)
    return indicator


def _indicator(name: str, value: float | None, band: Band) -> Indicator:
    if value is None:
        return Indicator(name, "skip", None, message("telemetry.unknown", "unknown"))
    status = band.status(value)
    return Indicator(name, status, value, _reading(name, value), EMPTY if status == "ok" else _REMEDIES[name])


def _reading(name: str, value: float) -> Message:
    if name == "gpu":
        return message("telemetry.gpu", "{percent:.0f}% utilization", percent=value)
    if name == "network":
        return message("telemetry.network", "{percent:.0f}% of the adapter's speed in use", percent=value)
    if name == "data":
        return message("telemetry.data", "{percent:.0f}% of each step spent waiting for data", percent=value)
    return message("telemetry.memory", "{percent:.0f}% of GPU memory or RAM in use", percent=value)
