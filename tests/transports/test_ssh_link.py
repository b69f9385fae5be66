"""Links that break while they are used."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from lab.ssh_node import SshNode
from tests.support.person import Person
from tests.support.proxy import Link
from tests.transports.contract import read_all
from transports.base import Channel, Endpoint
from transports.errors import ChannelLost
from transports.ssh.transport import SshTransport

#: A lost link must be noticed within so many seconds.
_QUICKLY = 60.0


@pytest.fixture
async def link(node: SshNode) -> AsyncIterator[Link]:
    async with Link(node.address, node.port) as link:
        yield link


@pytest.fixture
async def transport(
    node: SshNode, link: Link, known_hosts: Path, ssh_folder: Path
) -> AsyncIterator[SshTransport]:
    """A transport to the node over the link."""
    transport = SshTransport(
        Endpoint(link.host, link.port, node.user, (node.identity,)),
        Person(trusting=True),
        known_hosts=known_hosts,
        ssh_folder=ssh_folder,
        keepalive=1.0,
    )
    yield transport
    await transport.close()


async def lost(use) -> ChannelLost:  # type: ignore[no-untyped-def]
    with pytest.raises(ChannelLost) as caught:
        async with asyncio.timeout(_QUICKLY):
            await use
    return caught.value


async def write_on(channel: Channel) -> None:
    while True:
        await channel.write(b"x" * 65536)


async def test_cut_while_reading(transport: SshTransport, link: Link) -> None:
    channel = await transport.open(["yes"])
    link.cut_after(3 << 20)
    error = await lost(read_all(channel))
    assert error.transient
    assert link.host in error.where
    await lost(channel.read())
    await lost(channel.wait())
    await channel.close()


async def test_cut_while_writing(transport: SshTransport, link: Link) -> None:
    channel = await transport.open(["cat"])
    link.cut_after(1 << 20)
    await lost(write_on(channel))
    await channel.close()


async def test_cut_while_waiting_for_an_answer(transport: SshTransport, link: Link) -> None:
    channel = await transport.open(["sleep", "600"])
    reading = asyncio.create_task(channel.read())
    link.cut()
    await lost(reading)


async def test_cut_while_opening(transport: SshTransport, link: Link) -> None:
    await transport.connect()
    link.hold()
    opening = asyncio.create_task(transport.open(["echo"]))
    await asyncio.sleep(0)
    link.cut()
    await lost(opening)


async def test_a_silent_network_is_noticed(transport: SshTransport, link: Link) -> None:
    channel = await transport.open(["sleep", "600"])
    link.hold()
    await lost(channel.read())


async def test_a_node_that_stops(transport: SshTransport, node: SshNode) -> None:
    channel = await transport.open(["sleep", "600"])
    await node.stop()
    await lost(channel.read())


async def test_after_a_cut_the_transport_can_be_used_again(transport: SshTransport, link: Link) -> None:
    channel = await transport.open(["sleep", "600"])
    link.cut()
    await lost(channel.read())
    assert await read_all(await transport.open(["echo", "again"])) == b"again\n"


async def test_our_own_closing_is_no_quiet_end(transport: SshTransport) -> None:
    channel = await transport.open(["sleep", "600"])
    reading = asyncio.create_task(channel.read())
    await asyncio.sleep(0)
    await transport.close()
    await lost(reading)
