"""The offset of a node's clock from the master's."""

from __future__ import annotations

from collections.abc import Callable

from agent.wire.operation import Nothing
from agent.wire.operations import PING
from fleet.link.client import AgentClient


async def clock_lead(link: AgentClient, clock: Callable[[], float]) -> float:
    """Return how many seconds the node's clock is ahead, give or take half a round trip.

    The first failure is the earliest by the times of several nodes, whose clocks may differ.
    Raises FleetError.
    """
    before = clock()
    answer = await link.call(PING, Nothing())
    return answer["time"] - (before + clock()) / 2
