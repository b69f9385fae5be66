"""The stage of a deploy that copies data to a node."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from functools import partial

from agent.wire.deploy import DataSync
from agent.wire.message import Message, message
from fleet.data import Data
from fleet.deploy.check_scan import check_scan, refuse
from fleet.deploy.chunks import ChunkSource
from fleet.deploy.compare import Plan, Target, compare
from fleet.deploy.options import DeployOptions
from fleet.deploy.reporter import Reporter, copied, summary
from fleet.deploy.scan import scan_data
from fleet.deploy.selection import Remark, changing_remarks
from fleet.deploy.sharing import wait_for_sharer
from fleet.deploy.source import Source
from fleet.deploy.transfer import attempts, transfer
from fleet.errors import FleetError
from fleet.events import Event
from fleet.fleet import Fleet
from fleet.inventory import Node

_NO_DATA = message(
    "deploy.data-nowhere.remedy", "correct `root` of `data` in nodes.yaml, or put the data there"
)
#: So many files are named before they are deleted.
_MAX_NAMED = 20


class DataSource:
    """The data on the master, for all nodes of a deploy. Use as ``async with``."""

    def __init__(
        self, fleet: Fleet, data: Data, sync: DataSync, options: DeployOptions, nodes: Sequence[Node]
    ) -> None:
        assert data.root is not None
        project = fleet.inventory.project
        self.data = data
        self.sync = sync
        self.root = data.root
        self.source = Source(
            data.root,
            store=fleet.home / "data-digests.json",
            clock=fleet.clock,
            cache=options.cache,
            nodes=[node.name for node in nodes],
            read=lambda changing: scan_data(self.root, project, data.inside, changing=changing),
        )

    async def __aenter__(self) -> DataSource:
        await self.source.__aenter__()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.source.__aexit__()


class DataStage:
    """Copies data to one node; :meth:`events` may be iterated once and raises what the copy raises."""

    def __init__(
        self, fleet: Fleet, node: Node, source: DataSource, report: Reporter, *, dry_run: bool
    ) -> None:
        self._fleet = fleet
        self._node = node
        self._source = source
        self._report = report
        self._dry_run = dry_run

    async def events(self) -> AsyncGenerator[Event, None]:
        """Yield what happens."""
        report, source = self._report, self._source
        folder = source.data.folder_on(self._node)
        if folder is None or source.data.is_source(self._fleet.inventory, self._node):
            yield report.skipped("data", message("deploy.data-here", "this is the master's data folder"))
            return
        yield report.begin("data")
        if not await asyncio.to_thread(source.root.is_dir):
            nowhere = message(
                "deploy.data-nowhere", "the master has no folder {folder}", folder=str(source.root)
            )
            if self._fleet.inventory.data is not None:
                for event in report.remarks(
                    Remark("warning", one, _NO_DATA) for one in source.source.unreported([nowhere])
                ):
                    yield event
            yield report.skipped("data", nowhere)
            return
        target = Target(folder, f"{source.source.deploy}/{self._node.name}")
        attempt = partial(self._compare_and_copy, target)
        async with aclosing(attempts(source.source, report, attempt, self._remarks)) as steps:
            async for event in steps:
                yield event

    def _remarks(self, contents: ChunkSource) -> list[Event]:
        scan, source, report = contents.scan, self._source.source, self._report
        return [
            *report.remarks(changing_remarks(source.unreported(scan.changing))),
            *report.findings(source.unreported(scan.left_out)),
        ]

    async def _compare_and_copy(self, target: Target, contents: ChunkSource) -> AsyncGenerator[Event, None]:
        report, scan, mirror = self._report, contents.scan, self._source.sync == "mirror"
        link = await self._fleet.link(self._node)
        for event in check_scan(scan, report, windows=link.platform == "win32"):
            yield event
        if mirror and not scan.files:
            raise FleetError(
                message(
                    "deploy.data-empty",
                    "{folder} has no files on the master, so the node's data would be deleted",
                    folder=str(scan.root),
                ),
                remedy=message(
                    "deploy.data-empty.remedy", "put the data there, or set `sync: once` in nodes.yaml"
                ),
            )
        # Only to look needs no rights to the folder, which may be a share that the node can't write to.
        for dry_run in (True, False):
            async with aclosing(
                compare(
                    link,
                    target,
                    scan,
                    self._source.source.digests,
                    source=self._source.source.marker,
                    dry_run=dry_run,
                    sync=self._source.sync,
                )
            ) as steps:
                async for step in steps:
                    if isinstance(step, Plan):
                        plan = step
                    else:
                        yield report.running(
                            message(
                                "deploy.comparing",
                                "the node has read {size:bytes} to compare files",
                                size=step,
                            )
                        )
            refuse(plan.faults)
            if plan.shares:
                async for event in wait_for_sharer(self._source.source, self._node, plan.shares, report):
                    yield event
                return
            if plan.same_folder or plan.empty:
                yield report.done(_present(len(scan.files), scan.size))
                return
            if dry_run and plan.delete:
                yield report.warning(_deletions(plan, target.project))
            if self._dry_run:
                for event in report.changes(plan):
                    yield event
                yield report.skipped("data", summary(plan))
                return
        yield report.running(summary(plan))
        async with aclosing(transfer(link, target, plan, contents, report, mirror=mirror)) as events:
            async for event in events:
                yield event
        yield report.done(copied(plan, report.rate))


def _present(files: int, size: int) -> Message:
    return message(
        "deploy.data-present", "{files:n file} ({size:bytes}) already there", files=files, size=size
    )


def _deletions(plan: Plan, folder: str) -> Message:
    paths = [path for path, _ in plan.delete]
    if len(paths) <= _MAX_NAMED:
        return message(
            "deploy.data-deletions",
            "`sync: mirror` deletes {count:n file} in {folder}: {paths}",
            count=len(paths),
            folder=folder,
            paths=paths,
        )
    return message(
        "deploy.many-data-deletions",
        "`sync: mirror` deletes {count:n file} in {folder}, among them {paths}",
        count=len(paths),
        folder=folder,
        paths=paths[:_MAX_NAMED],
    )
