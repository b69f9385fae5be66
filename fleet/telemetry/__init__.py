"""The load of the fleet: samples as events, kept for hours, and what they mean for a run."""

from __future__ import annotations

from fleet.telemetry.export import export
from fleet.telemetry.health import INDICATORS, Indicator, worst
from fleet.telemetry.history import History, TelemetryRecorder, read_history, recorded_nodes
from fleet.telemetry.keep import Keeper, keep_telemetry
from fleet.telemetry.meter import LoadSummary, Meter, NodeLoad
from fleet.telemetry.settings import TelemetrySettings, load_settings
from fleet.telemetry.tally import Tally, read_tallies
from fleet.telemetry.watch import watch

__all__ = [
    "INDICATORS",
    "History",
    "Indicator",
    "Keeper",
    "LoadSummary",
    "Meter",
    "NodeLoad",
    "Tally",
    "TelemetryRecorder",
    "TelemetrySettings",
    "export",
    "keep_telemetry",
    "load_settings",
    "read_history",
    "read_tallies",
    "recorded_nodes",
    "watch",
    "worst",
]
