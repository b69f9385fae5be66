"""Thresholds and prices of ``configs/telemetry.yaml``; without the file the defaults hold."""

from __future__ import annotations

import difflib
import math
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import yaml

from fleet.frozen import frozen
from fleet.inventory.faults import FaultsError
from fleet.inventory.sections import entries
from fleet.inventory.source import Place, compose, in_order, read_text

DEFAULT_FILE = Path("configs/telemetry.yaml")


class TelemetrySettingsError(FaultsError):
    """The file is faulty, and nothing of it was used."""


@frozen
class Band:
    """Where a value begins to be worth a look (``warn``) and where it hurts (``fail``).

    With ``fail`` above ``warn`` high values are bad: from the limit on. Else low ones are: below it.
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


@frozen
class TelemetrySettings:
    """Percentages, seconds and money that the meaning of a sample depends on."""

    #: Mean GPU utilisation of a training node: the guide asks for 95 % and more.
    gpu: Band = Band(95, 80)
    #: Share of the adapter's speed that is in use.
    network: Band = Band(70, 90)
    #: Share of a step that a rank waits for data.
    data: Band = Band(10, 25)
    #: Share of GPU memory or RAM in use, the fuller of the two.
    memory: Band = Band(90, 97)
    #: Share of a step that a rank waits for the others.
    communication: Band = Band(30, 60)
    #: A rank that needs so many times what the others need is a straggler.
    straggler: float = 1.15
    #: Seconds over which all of this is averaged.
    window: float = 60.0
    #: Price of a kilowatt hour; None: no cost is worked out.
    price_per_kwh: float | None = None
    currency: str = ""


def load_settings(path: Path) -> TelemetrySettings:
    """Return the file's settings, the defaults when there is no file; raises TelemetrySettingsError."""
    if not path.exists():
        return TelemetrySettings()
    place = Place(str(path))
    text = read_text(path, place)
    root = compose(text, place) if text is not None else None
    settings = replace(TelemetrySettings(), **_values(root, place))
    if place.faults:
        raise TelemetrySettingsError(in_order(place.faults))
    return settings


def _values(root: yaml.Node | None, place: Place) -> dict[str, Any]:
    defaults = {field.name: getattr(TelemetrySettings(), field.name) for field in fields(TelemetrySettings)}
    found: dict[str, Any] = {}
    for key, node in entries(root, place):
        here = place.under(key.value)
        if key.value not in defaults:
            close = difflib.get_close_matches(key.value, defaults, n=1)
            hint = f"did you mean {close[0]!r}?" if close else f"known: {', '.join(defaults)}"
            here.fault(key, f"unknown key {key.value!r}", hint)
        elif isinstance(defaults[key.value], Band):
            found[key.value] = _band(node, here, defaults[key.value])
        elif key.value == "currency":
            found[key.value] = str(node.value)
        else:
            found[key.value] = _number(node, here)
    return {key: value for key, value in found.items() if value is not None}


def _band(node: yaml.Node, place: Place, default: Band) -> Band | None:
    limits = {"warn": default.warn, "fail": default.fail}
    for key, value in entries(node, place):
        if key.value not in limits:
            place.under(key.value).fault(key, f"unknown key {key.value!r}", "a light has `warn` and `fail`")
            continue
        number = _number(value, place.under(key.value))
        if number is not None:
            limits[key.value] = number
    band = Band(**limits)
    if (band.fail > band.warn) != (default.fail > default.warn):
        order = "above" if default.fail > default.warn else "below"
        place.fault(node, f"fail ({band.fail:g}) must be {order} warn ({band.warn:g})")
        return None
    return band


def _number(node: yaml.Node, place: Place) -> float | None:
    try:
        value = float(node.value) if isinstance(node, yaml.ScalarNode) else math.nan
    except ValueError:
        value = math.nan
    if not 0 < value < 1e9:
        place.fault(node, "must be a number above 0")
        return None
    return value
