"""What is known about a fleet, as one frozen value that every event moves on."""

from fleet.state.fleet import FleetState
from fleet.state.node import Check, Copy, Link, NodeState, Route, Stage
from fleet.state.run import Checkpoint, RankState, RunState

__all__ = [
    "Check",
    "Checkpoint",
    "Copy",
    "FleetState",
    "Link",
    "NodeState",
    "RankState",
    "Route",
    "RunState",
    "Stage",
]
