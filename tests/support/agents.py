"""An agent on this machine, started as the console starts one."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fleet.link.bootstrap import start_agent
from fleet.link.bundle import pack_agent
from fleet.link.client import AgentClient
from transports.base import Endpoint
from transports.local.transport import LocalTransport


@asynccontextmanager
async def local_agent(python: str = sys.executable, *, timeout: float = 60.0) -> AsyncIterator[AgentClient]:
    """Start an agent that calls itself gpu1 and end it with the block; the tests have set XDG_CACHE_HOME."""
    transport = LocalTransport(Endpoint("localhost"))
    started = await start_agent(transport, pack_agent(), node="gpu1", python=python, timeout=timeout)
    link = await AgentClient.open(started.channel, node="gpu1", head=started.head)
    try:
        yield link
    finally:
        await link.close()
