"""Deploys that are cut: a killed agent, a broken link, a full disk, a console that leaves."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest

from agent.wire.operations import OPERATIONS
from fleet.deploy import DeployOptions, deploy
from fleet.events import CopyProgressed, Notice, StageChanged
from fleet.fleet import Fleet
from tests.deploy.conftest import Outcome, Site, tree
from tests.support.needs import need
from transports.base import Channel, Endpoint
from transports.errors import ChannelLost
from transports.local.transport import LocalTransport

BIG = 24_000_000
OLD: dict[str, str | bytes] = {"train.py": "old", "gone.py": "old", "same.py": "same"}


async def changed_site(site: Site) -> dict[str, bytes]:
    """Deploy OLD, then prepare a large change; return the node's tree."""
    site.write(OLD)
    assert (await site.deploy()).end().ok
    site.write({"train.py": "the new one", "big.bin": os.urandom(BIG)})
    (site.source / "gone.py").unlink()
    return site.files()


async def deploy_and_kill(site: Site, *conditions: Callable[[], bool]) -> Outcome:
    """Deploy to node1; kill its agent when the first condition holds, the next agent at the second."""
    node, outcome = site.node(), Outcome()

    async def killer(fleet: Fleet) -> None:
        for condition in conditions:
            link = await fleet.link(node)
            while not condition():
                await asyncio.sleep(0.001)
            os.kill(link.hello.pid, signal.SIGKILL)
            await link.lost.wait()

    async with site.fleet(node) as fleet, asyncio.timeout(120), asyncio.TaskGroup() as tasks:
        await fleet.link(node)
        tasks.create_task(killer(fleet))
        async for event in deploy(fleet, [node], DeployOptions()):
            outcome.events.append(event)
    return outcome


def staged(site: Site) -> int:
    """Return the size of the largest staged file on node1."""
    incoming = site.path / "node1/.dtui/incoming"
    return max((path.stat().st_size for path in incoming.glob("*") if path.is_file()), default=0)


async def test_an_agent_killed_in_mid_copy_leaves_the_old_tree_and_what_arrived(site: Site) -> None:
    before = await changed_site(site)
    outcome = await deploy_and_kill(site, lambda: staged(site) > 2_000_000, lambda: staged(site) > 6_000_000)
    assert not outcome.end().ok
    assert outcome.stages()["copy"] == "failed"
    assert len([event for event in outcome.of(Notice) if "reconnecting to resume" in event.text]) == 1
    assert site.files() == before
    resumed = await site.deploy()
    assert resumed.end().ok
    assert resumed.end().bytes_sent < BIG - 5_000_000
    assert site.files() == tree(site.source)


async def test_after_one_lost_link_the_deploy_goes_on_where_it_was(site: Site) -> None:
    await changed_site(site)
    outcome = await deploy_and_kill(site, lambda: staged(site) > 2_000_000)
    assert outcome.end().ok
    assert len(outcome.of(Notice)) == 1
    assert site.files() == tree(site.source)


async def test_an_agent_killed_in_mid_commit_is_made_good_by_the_next_operation(site: Site) -> None:
    site.write({f"f/{number}": "old" for number in range(800)})
    await site.deploy()
    site.write({f"f/{number}": "the new one" for number in range(800)})
    incoming = site.path / "node1/.dtui/incoming"
    seen: list[bool] = []

    def in_mid_commit() -> bool:
        if any(incoming.glob("aside-*/move-*")):
            seen.append((incoming / "journal.json").exists())
            return True
        return False

    outcome = await deploy_and_kill(site, in_mid_commit)
    assert seen == [True]
    assert outcome.end().ok
    assert site.files() == tree(site.source)
    assert not incoming.exists()


class CutChannel(Channel):
    """A link that falls silent and breaks on the console's side, while the agent hears nothing of it."""

    def __init__(self, inner: Channel, limit: int) -> None:
        self.inner = inner
        self._left = limit
        self._cut = asyncio.Event()

    async def read(self, limit: int = 1 << 16) -> bytes:
        reading = asyncio.ensure_future(self.inner.read(limit))
        cut = asyncio.ensure_future(self._cut.wait())
        await asyncio.wait([reading, cut], return_when=asyncio.FIRST_COMPLETED)
        cut.cancel()
        if self._cut.is_set():
            reading.cancel()
            raise ChannelLost("the network is gone")
        return reading.result()

    async def write(self, data: bytes) -> None:
        self._left -= len(data)
        if self._left < 0:
            self._cut.set()
            raise ChannelLost("the network is gone")
        await self.inner.write(data)

    async def write_eof(self) -> None:
        await self.inner.write_eof()

    async def wait(self) -> int | None:
        return None

    def stderr(self) -> bytes:
        return b""

    async def close(self) -> None:
        if not self._cut.is_set():
            await self.inner.close()


class CutTransports:
    """Opens local transports whose first channel breaks after so many bytes."""

    def __init__(self, *limits: int) -> None:
        self._limits = list(limits)
        self.cut: list[CutChannel] = []

    def __call__(self, kind: str, endpoint: Endpoint, **_: Any) -> LocalTransport:
        transports = self

        class Transport(LocalTransport):
            async def open(self, argv: Any) -> Any:
                channel = await super().open(argv)
                if not transports._limits:
                    return channel
                transports.cut.append(CutChannel(channel, transports._limits.pop(0)))
                return transports.cut[-1]

        return Transport(endpoint)

    async def close(self) -> None:
        for channel in self.cut:
            await channel.inner.close()


async def test_a_cut_link_is_taken_up_although_the_old_agent_still_holds_the_folder(site: Site) -> None:
    await changed_site(site)
    transports = CutTransports(10_000_000)
    outcome = await site.deploy(transports=transports)
    assert outcome.end().ok
    assert len(outcome.of(Notice)) == 1
    assert site.files() == tree(site.source)
    copies = [
        event for event in outcome.of(StageChanged) if (event.stage, event.state) == ("copy", "running")
    ]
    assert len(copies) == 2
    assert outcome.end().bytes_sent < 2 * BIG - 5_000_000  # what had arrived was not sent again
    await transports.close()


async def test_a_link_that_breaks_twice_leaves_the_old_tree(site: Site) -> None:
    before = await changed_site(site)
    transports = CutTransports(6_000_000, 6_000_000)
    outcome = await site.deploy(transports=transports)
    assert not outcome.end().ok
    assert "network is gone" in outcome.end().detail
    assert site.files() == before
    await transports.close()


async def test_a_console_that_leaves_in_mid_copy_leaves_the_old_tree(site: Site) -> None:
    before = await changed_site(site)
    node = site.node()
    async with site.fleet(node) as fleet:
        async with aclosing(deploy(fleet, [node], DeployOptions())) as events:
            async for event in events:
                if isinstance(event, CopyProgressed):
                    break
        # The cancelled request ends on the node before the link does.
        await (await fleet.link(node)).call(OPERATIONS["ping"], {})
    assert site.files() == before
    assert (await site.deploy()).end().ok
    assert site.files() == tree(site.source)


async def test_a_file_that_changes_while_it_is_copied_is_read_again(site: Site) -> None:
    await changed_site(site)
    changed = False

    def change(event: object) -> None:
        nonlocal changed
        if (
            isinstance(event, StageChanged)
            and (event.stage, event.state) == ("copy", "running")
            and not changed
        ):
            changed = True
            site.write({"train.py": "another one, in the middle of the copy"})

    outcome = await site.deploy(watch=change)
    assert outcome.end().ok
    assert site.files() == tree(site.source)


async def test_a_file_that_never_rests_is_left_out_and_named_once(site: Site) -> None:
    await changed_site(site)
    turn = 0

    def change(event: object) -> None:
        nonlocal turn
        if isinstance(event, StageChanged) and (event.stage, event.state) == ("compare", "done"):
            turn += 1
            site.write({"up.log": "x" * (turn + 20)})

    site.write({"up.log": "begun"})
    outcome = await site.deploy(site.node(), site.node("node2"), watch=change)
    assert outcome.end().ok
    assert outcome.end("node2").ok
    (notice,) = [event for event in outcome.of(Notice, "") if "keeps changing" in event.text]
    assert "up.log" in notice.text
    (site.source / "up.log").unlink()
    assert site.files() == site.files("node2") == tree(site.source)


async def test_a_file_that_keeps_changing_keeps_the_nodes_copy(site: Site) -> None:
    site.write({"a.py": "1", "up.log": "old"})
    await site.deploy()
    turn = 0

    def change(event: object) -> None:
        nonlocal turn
        if isinstance(event, StageChanged) and (event.stage, event.state) == ("compare", "done"):
            turn += 1
            site.write({"up.log": "x" * (turn + 20)})

    site.write({"a.py": "22", "up.log": "new"})
    assert (await site.deploy(watch=change)).end().ok
    assert site.files() == {"a.py": b"22", "up.log": b"old"}


async def test_a_file_that_vanishes_is_no_error(site: Site) -> None:
    await changed_site(site)
    site.write({"gone/while.txt": "x" * 500_000})

    def vanish(event: object) -> None:
        if isinstance(event, StageChanged) and (event.stage, event.state) == ("compare", "done"):
            shutil.rmtree(site.source / "gone", ignore_errors=True)

    outcome = await site.deploy(watch=vanish)
    assert outcome.end().ok, outcome.end().detail
    assert outcome.of(Notice) == []
    assert site.files() == tree(site.source)


@pytest.fixture
def small_disk(site: Site) -> Iterator[Path]:
    """The node's folder, on a disk of 16 MB with room for 200 files."""
    need("root")
    place = site.path / "node1"
    place.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=16m,nr_inodes=200", "tmpfs", str(place)], check=True)
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


async def test_a_disk_without_room_is_told_before_anything_is_sent(site: Site, small_disk: Path) -> None:
    before = await changed_site(site)
    outcome = await site.deploy()
    assert not outcome.end().ok
    assert "no room on the disk" in outcome.end().detail
    assert "24.3 MB are needed" in outcome.end().detail
    assert "free space" in outcome.end().remedy
    assert site.files() == before
    assert not (small_disk / ".dtui/incoming").exists()


async def test_a_disk_that_runs_full_in_mid_copy_keeps_the_old_tree(site: Site, small_disk: Path) -> None:
    site.write(OLD)
    assert (await site.deploy()).end().ok
    before, free = site.files(), shutil.disk_usage(small_disk).free
    site.write({f"many/{number}": "x" for number in range(400)})
    outcome = await site.deploy()
    assert not outcome.end().ok
    assert "no room on the disk" in outcome.end().detail
    assert site.files() == before
    assert not (small_disk / ".dtui/incoming").exists()
    assert shutil.disk_usage(small_disk).free == free
    shutil.rmtree(site.source / "many")
    site.write({"train.py": "fits"})
    assert (await site.deploy()).end().ok


async def test_a_disk_that_fills_up_just_before_the_commit_keeps_the_old_tree(
    site: Site, small_disk: Path
) -> None:
    site.write(OLD)
    assert (await site.deploy()).end().ok
    before = site.files()
    # The contents fit, the folders they need do not.
    site.write({f"folder{number}/a/b/x": "x" for number in range(60)})
    outcome = await site.deploy()
    assert not outcome.end().ok
    assert "no room on the disk" in outcome.end().detail
    assert site.files() == before
    assert sorted(path.name for path in small_disk.iterdir()) == [".dtui", *sorted(OLD)]
