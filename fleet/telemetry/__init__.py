"""The load of the fleet: samples as events, their history, and health indicators of a run."""

from __future__ import annotations

from fleet.telemetry.export import export
from fleet.telemetry.health import INDICATORS, Indicator, worst
from fleet.telemetry.history import History, TelemetryRecorder, read_history, recorded_nodes
from fleet.telemetry.meter import LoadSummary, Meter, NodeLoad
from fleet.telemetry.run_telemetry import RunTelemetry, record_telemetry
from fleet.telemetry.settings import TelemetrySettings, load_settings
from fleet.telemetry.tally import Tally, read_tallies
from fleet.telemetry.watch import watch

__all__ = [
    "INDICATORS",
    "History",
    "Indicator",
    "LoadSummary",
    "Meter",
    "NodeLoad",
    "RunTelemetry",
    "Tally",
    "TelemetryRecorder",
    "TelemetrySettings",
    "export",
    "load_settings",
    "read_history",
    "read_tallies",
    "record_telemetry",
    "recorded_nodes",
    "watch",
    "worst",
]
