"""Runs: start one on all nodes, watch it, stop it, find earlier ones."""

from __future__ import annotations

from fleet.runs.ids import new_run_id
from fleet.runs.launch import LaunchFailed, LaunchOptions, announce, launch
from fleet.runs.read import read_logs
from fleet.runs.record.replay import replay
from fleet.runs.restart import follow, run_to_end
from fleet.runs.sample import SampleFailed, sample
from fleet.runs.stacks import NodeStacks, folded, last_collective, other_threads, read_stacks, run_stacks
from fleet.runs.status import NodeRuns, NodeSweep, node_runs, sweep
from fleet.runs.stop import stop
from fleet.runs.store import NoSuchRun, RunStore, RunSummary, find_runs
from fleet.runs.watch import WatchOptions, watch

__all__ = [
    "LaunchFailed",
    "LaunchOptions",
    "NoSuchRun",
    "NodeRuns",
    "NodeStacks",
    "NodeSweep",
    "RunStore",
    "RunSummary",
    "SampleFailed",
    "WatchOptions",
    "announce",
    "find_runs",
    "folded",
    "follow",
    "last_collective",
    "launch",
    "new_run_id",
    "node_runs",
    "other_threads",
    "read_logs",
    "read_stacks",
    "replay",
    "run_stacks",
    "run_to_end",
    "sample",
    "stop",
    "sweep",
    "watch",
]
