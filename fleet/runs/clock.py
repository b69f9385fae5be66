"""A node's clock beside the master's."""

from __future__ import annotations

from collections.abc import Callable

from fleet.link.client import AgentClient


async def clock_lead(link: AgentClient, clock: Callable[[], float]) -> float:
    """Return how many seconds the node's clock is ahead, give or take half a round trip.

    Which rank failed first is told by times of several nodes, whose clocks may differ. Raises FleetError.
    """
    before = clock()
    answer = await link.call("ping")
    return float(answer["time"]) - (before + clock()) / 2
