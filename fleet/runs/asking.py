"""Requests to one node with a time limit; every failure is an error of that node only."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable
from typing import TypeVar

from agent.wire.message import EMPTY, Message
from agent.wire.operation import Nothing
from agent.wire.operations import PING
from fleet.errors import FleetError, NotConnected
from fleet.fleet import Fleet
from fleet.internal_errors import internal_error
from fleet.inventory import Node
from fleet.link.client import AgentClient
from fleet.runs.messages import no_answer

T = TypeVar("T")


async def answer_or_error(
    node: Node, answer: Awaitable[T], *, name: str, timeout: float, remedy: Message = EMPTY
) -> T | FleetError:
    """Return the answer, or the error of the node when it fails or takes longer than ``timeout`` seconds.

    ``name`` names the request in the report of an internal error; ``remedy`` is for a node that is too slow.
    """
    try:
        async with asyncio.timeout(timeout):
            return await answer
    except FleetError as error:
        return error
    except TimeoutError:
        return FleetError(no_answer(timeout), node=node.name, remedy=remedy)
    except Exception as error:  # noqa: BLE001 -- any failure of a node affects that node only
        return FleetError(internal_error(error, f"{name} of {node.name}"), node=node.name)


async def answering_link(fleet: Fleet, node: Node, seconds: float) -> AgentClient:
    """Return the link to a node that answers; raises FleetError when it does not within ``seconds``.

    An open link counts only if the node answers on it now: one that is frozen keeps its connections. The time
    in which the user is asked for a password or about a host key does not count.
    """

    async def reach() -> AgentClient:
        link = await fleet.link(node)
        await link.call(PING, Nothing())
        return link

    started = time.monotonic()
    reaching = asyncio.ensure_future(reach())
    try:
        while (left := max(started, fleet.asked_at) + seconds - time.monotonic()) > 0:
            done, _ = await asyncio.wait([reaching], timeout=left)
            if done:
                return reaching.result()
        raise NotConnected(no_answer(seconds), node=node.name, transient=True)
    finally:
        reaching.cancel()
        await asyncio.gather(reaching, return_exceptions=True)
