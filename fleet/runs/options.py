"""What can be chosen about starting and watching a run."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct, field

from fleet.errors import FleetError
from fleet.secrets import Secret


class LaunchOptions(Struct, frozen=True, kw_only=True):
    """How a run is started."""

    #: Start even if another run is active in a node's project folder.
    force: bool = False
    #: Seconds that a stop gives the ranks to save a checkpoint, unless the stop sets another value.
    grace: float = 30.0
    #: How often a failed run is started again, from its last checkpoint.
    max_restarts: int = 0
    #: Values of the run's secrets, by variable. They stay in this process's memory: a restart needs them.
    secrets: Mapping[str, Secret] = field(default_factory=dict)


class WatchOptions(Struct, frozen=True, kw_only=True):
    """How a run is watched; all times in seconds."""

    #: After so long the ranks that have not joined are named,
    join_notice: float = 60.0
    #: and after so long the run is ended, since they won't. None waits for ever.
    start_timeout: float | None = 600.0
    #: After so long without progress (longer in a run of slow steps) the rank that has stopped is named,
    stall_notice: float = 60.0
    #: and after so long the run is ended. None only reports.
    stall_timeout: float | None = None
    #: How long a node may be out of reach while the run is well; then it is lost. None waits for ever.
    unreachable_limit: float | None = 600.0
    #: The same for a run that has failed: then only the ends of the node's ranks are missing.
    failing_limit: float = 30.0
    #: Nodes that have just been found out of reach, with their errors; no attempt is made to reach them.
    apart: Mapping[str, FleetError] = field(default_factory=dict)
    #: First and longest pause between two attempts to reach a node.
    retry_first: float = 0.25
    retry_most: float = 10.0
