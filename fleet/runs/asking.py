"""A request to one node with a time limit; every failure is an error of that node only."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import TypeVar

from agent.wire.message import EMPTY, Message
from fleet.errors import FleetError
from fleet.internal_errors import internal_error
from fleet.inventory import Node
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
