"""The guide's four things to watch as four lights of a node: GPU, network, data loading, memory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from fleet.frozen import frozen
from fleet.telemetry.series import gpus_of
from fleet.telemetry.settings import Band, TelemetrySettings
from fleet.telemetry.steps import Bound
from fleet.telemetry.throttle import harmful

LIGHTS = ("gpu", "network", "data", "memory")

_REMEDIES = {
    "gpu": "raise the batch size, or see what the run waits for",
    "network": "use a faster link, accumulate more steps, or train with mixed precision",
    "data": "raise num_workers, use persistent workers, or put the data on a faster disk",
    "memory": "halve batch_size and double gradient_accumulation_steps",
}


@frozen
class Light:
    """``status`` is ok, warn, fail or skip (nothing to judge by); ``value`` in percent.

    ``seen`` and ``remedy`` are English for a command line. A screen words them itself: by ``reason``, which
    is unknown, none (no GPU), idle (nothing of ours runs), stale, broken, slowed, or empty when ``value``
    was judged; ``subject`` is the GPU or the driver's own words, ``causes`` are throttle reasons.
    """

    name: str
    status: str
    value: float | None
    seen: str
    remedy: str = ""
    reason: str = ""
    subject: str = ""
    causes: tuple[str, ...] = ()


_ORDER = ("skip", "ok", "warn", "fail")


def worst(lights: Mapping[str, Sequence[Light]]) -> tuple[tuple[str, Light], ...]:
    """Return of each of the four the light of the node that is worst off, with that node's name."""
    found: dict[str, tuple[str, Light]] = {}
    for node, shown in lights.items():
        for light in shown:
            other = found.get(light.name)
            if other is None or _ORDER.index(light.status) > _ORDER.index(other[1].status):
                found[light.name] = (node, light)
    return tuple(found[name] for name in LIGHTS if name in found)


def lights_of(
    samples: Sequence[Mapping[str, Any]], bound: Bound, settings: TelemetrySettings, *, training: bool
) -> tuple[Light, ...]:
    """Return the four lights of a node from its samples of the window, the newest last."""
    newest = samples[-1] if samples else {}
    return (
        _gpu_light(samples, newest, settings.gpu, training=training),
        _light("network", network_use(samples), settings.network, "{:.0f} % of the adapter's speed in use"),
        _light("data", bound.data, settings.data, "{:.0f} % of each step waiting for data"),
        _light("memory", memory_use(newest), settings.memory, "{:.0f} % of GPU memory or RAM in use"),
    )


def mean_util(samples: Sequence[Mapping[str, Any]]) -> float | None:
    """Return the mean utilisation of the node's GPUs over the samples; stale ones do not count."""
    values = [
        gpu["util"]
        for sample in samples
        if not sample.get("stale")
        for _, gpu in gpus_of(sample)
        if gpu.get("util") is not None
    ]
    return sum(values) / len(values) if values else None


def network_use(samples: Sequence[Mapping[str, Any]]) -> float | None:
    """Return the percentage of the adapter's speed in use, of the busier direction."""
    shares = []
    for sample in samples:
        network = sample.get("network") or {}
        speed, rates = network.get("speed_mbps"), [network.get("rx"), network.get("tx")]
        known = [rate for rate in rates if rate is not None]
        if speed and known:
            shares.append(100 * max(known) * 8 / (speed * 1e6))
    return sum(shares) / len(shares) if shares else None


def memory_use(sample: Mapping[str, Any]) -> float | None:
    """Return the percentage in use of the fullest memory: each GPU's, and the machine's RAM."""
    pairs = [(gpu.get("memory_used"), gpu.get("memory_total")) for _, gpu in gpus_of(sample)]
    ram = sample.get("ram") or {}
    pairs.append((ram.get("used"), ram.get("total")))
    shares = [100 * used / total for used, total in pairs if used is not None and total]
    return max(shares) if shares else None


def _gpu_light(
    samples: Sequence[Mapping[str, Any]], newest: Mapping[str, Any], band: Band, *, training: bool
) -> Light:
    if newest.get("stale"):
        seen = str(newest.get("error") or "the GPU driver does not answer")
        return Light("gpu", "fail", None, seen, "restart the node if this stays", "stale", seen)
    for index, gpu in gpus_of(newest):
        if gpu.get("error"):
            text = f"GPU {index}: {gpu['error']}"
            return Light("gpu", "fail", None, text, reason="broken", subject=text)
    value = mean_util(samples)
    if value is None or not training:
        seen, reason = ("no GPU", "none") if value is None else ("nothing of ours runs here", "idle")
        return Light("gpu", "skip", value, seen, reason=reason)
    light = _light("gpu", value, band, "{:.0f} % busy")
    slowed = {index: words for index, gpu in gpus_of(newest) if (words := harmful(gpu.get("throttle")))}
    if slowed and light.status != "fail":
        text = "; ".join(f"GPU {index} is slowed down: {', '.join(words)}" for index, words in slowed.items())
        causes = tuple(dict.fromkeys(word for words in slowed.values() for word in words))
        which = ", ".join(map(str, slowed))
        remedy = "check the cooling and the power supply"
        return Light("gpu", "warn", value, text, remedy, "slowed", which, causes)
    return light


def _light(name: str, value: float | None, band: Band, text: str) -> Light:
    if value is None:
        return Light(name, "skip", None, "not known", reason="unknown")
    status = band.status(value)
    return Light(name, status, value, text.format(value), "" if status == "ok" else _REMEDIES[name])
