"""What can be chosen about starting and watching a run."""

from __future__ import annotations

from fleet.frozen import frozen


@frozen(kw_only=True)
class LaunchOptions:
    """How a run is started."""

    #: Start although another run is under way in a node's project folder.
    force: bool = False
    #: Seconds that a stop gives the ranks to save a checkpoint, unless it says otherwise.
    grace: float = 30.0
    #: How often a failed run is started again, from its last checkpoint.
    max_restarts: int = 0


@frozen(kw_only=True)
class WatchOptions:
    """How a run is watched; all times in seconds."""

    #: After so long the ranks that have not joined are named,
    join_notice: float = 60.0
    #: and after so long the run is ended, since they won't. None waits for ever.
    start_timeout: float | None = 600.0
    #: How long a node may be out of reach while the run is well; None waits for it for ever.
    unreachable_limit: float | None = None
    #: The same for a run that has failed: then only the ends of the node's ranks are missing.
    failing_limit: float = 60.0
    #: First and longest pause between two attempts to reach a node.
    retry_first: float = 0.25
    retry_most: float = 10.0
