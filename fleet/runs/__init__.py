"""Runs: start one on all nodes, watch it, stop it, find earlier ones."""

from __future__ import annotations

from fleet.runs.ids import new_run_id
from fleet.runs.launch import LaunchFailed, LaunchOptions, announce, launch
from fleet.runs.read import read_logs
from fleet.runs.restart import run_to_end
from fleet.runs.sample import SampleFailed, sample
from fleet.runs.status import NodeRuns, node_runs, sweep
from fleet.runs.stop import stop
from fleet.runs.store import NoSuchRun, RunStore, RunSummary, find_runs, replay
from fleet.runs.watch import WatchOptions, watch

__all__ = [
    "LaunchFailed",
    "LaunchOptions",
    "NoSuchRun",
    "NodeRuns",
    "RunStore",
    "RunSummary",
    "SampleFailed",
    "WatchOptions",
    "announce",
    "find_runs",
    "launch",
    "new_run_id",
    "node_runs",
    "read_logs",
    "replay",
    "run_to_end",
    "sample",
    "stop",
    "sweep",
    "watch",
]
