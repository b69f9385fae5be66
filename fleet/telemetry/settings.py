"""Thresholds and prices of ``configs/telemetry.yaml``; without the file the defaults hold."""

from __future__ import annotations

import difflib
import math
from contextlib import suppress
from pathlib import Path
from typing import Any

import yaml
from msgspec import Struct
from msgspec.structs import fields, replace

from agent.wire.message import Message, message
from fleet.inventory.faults import FaultsError
from fleet.inventory.sections import entries
from fleet.inventory.source import Place, TooManyFaults, compose, in_order, read_text, shown

DEFAULT_FILE = Path("configs/telemetry.yaml")


class TelemetrySettingsError(FaultsError):
    """The file is faulty, and nothing of it was used."""


class Band(Struct, frozen=True):
    """The limits at which a value becomes a warning (``warn``) and a failure (``fail``).

    With ``fail`` above ``warn`` high values are bad: from the limit on. Otherwise low ones are: below it.
    """

    warn: float
    fail: float

    def status(self, value: float) -> str:
        """Return ok, warn or fail."""
        if self._beyond(value, self.fail):
            return "fail"
        return "warn" if self._beyond(value, self.warn) else "ok"

    def _beyond(self, value: float, limit: float) -> bool:
        return value >= limit if self.fail > self.warn else value < limit


class TelemetrySettings(Struct, frozen=True):
    """Limits in percent and seconds by which samples are evaluated, and the price of energy."""

    #: Mean GPU utilisation of a training node.
    gpu: Band = Band(95, 80)
    #: Share of the adapter's speed that is in use.
    network: Band = Band(70, 90)
    #: Share of a step that a rank waits for data.
    data: Band = Band(10, 25)
    #: Share of GPU memory or RAM in use, the fuller of the two.
    memory: Band = Band(90, 97)
    #: Share of a step that a rank waits for the others.
    communication: Band = Band(30, 60)
    #: A rank whose own work takes this many times the others' median is a straggler.
    straggler: float = 1.15
    #: Seconds over which all of these are averaged.
    window: float = 60.0
    #: Price of a kilowatt hour; None: no cost is calculated.
    price_per_kwh: float | None = None
    currency: str = ""


def load_settings(path: Path) -> TelemetrySettings:
    """Return the file's settings, the defaults when there is no file; raises TelemetrySettingsError."""
    if not path.exists():
        return TelemetrySettings()
    place = Place(str(path))
    text = read_text(path, place)
    root = compose(text, place) if text is not None else None
    settings = TelemetrySettings()
    with suppress(TooManyFaults):
        settings = replace(settings, **_values(root, place))
    if place.faults:
        raise TelemetrySettingsError(in_order(place.faults))
    return settings


def _values(root: yaml.Node | None, place: Place) -> dict[str, Any]:
    defaults = {field.name: getattr(TelemetrySettings(), field.name) for field in fields(TelemetrySettings)}
    found: dict[str, Any] = {}
    for key, node in entries(root, place):
        here = place.under(key.value)
        if key.value not in defaults:
            close = difflib.get_close_matches(shown(key.value), defaults, n=1)
            if close:
                hint = message("telemetry.unknown-key-close.remedy", "did you mean {key!r}?", key=close[0])
            else:
                hint = message("telemetry.unknown-key.remedy", "use one of {keys}", keys=list(defaults))
            here.fault(key, _unknown(key), hint)
        elif isinstance(defaults[key.value], Band):
            found[key.value] = _band(node, here, defaults[key.value])
        elif key.value == "currency":
            found[key.value] = str(node.value)
        else:
            found[key.value] = _number(node, here)
    return {key: value for key, value in found.items() if value is not None}


def _unknown(key: yaml.ScalarNode) -> Message:
    return message("telemetry.unknown-key", "unknown key {key!r}", key=shown(key.value))


def _band(node: yaml.Node, place: Place, default: Band) -> Band | None:
    limits = {"warn": default.warn, "fail": default.fail}
    for key, value in entries(node, place):
        if key.value not in limits:
            hint = message("telemetry.unknown-limit.remedy", "use `warn` and `fail`")
            place.under(key.value).fault(key, _unknown(key), hint)
            continue
        number = _number(value, place.under(key.value))
        if number is not None:
            limits[key.value] = number
    band = Band(**limits)
    if (band.fail > band.warn) != (default.fail > default.warn):
        if default.fail > default.warn:
            what = message(
                "telemetry.fail-below-warn",
                "fail ({fail:g}) must be above warn ({warn:g})",
                fail=band.fail,
                warn=band.warn,
            )
        else:
            what = message(
                "telemetry.fail-above-warn",
                "fail ({fail:g}) must be below warn ({warn:g})",
                fail=band.fail,
                warn=band.warn,
            )
        place.fault(node, what)
        return None
    return band


def _number(node: yaml.Node, place: Place) -> float | None:
    try:
        value = float(node.value) if isinstance(node, yaml.ScalarNode) else math.nan
    except ValueError:
        value = math.nan
    if not 0 < value < 1e9:
        place.fault(node, message("telemetry.number", "must be a number above 0"))
        return None
    return value
