"""The stages of a deploy to one node."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing

from fleet.deploy.chunks import ChunkSource, SourceChanged
from fleet.deploy.compare import Plan, Target, compare
from fleet.deploy.copy import Progress, copy
from fleet.deploy.environment import prepare
from fleet.deploy.options import DeployOptions
from fleet.deploy.pace import Pace
from fleet.deploy.portability import alike, decomposed, faults_on_windows
from fleet.deploy.reporter import Reporter, size_text, summary
from fleet.deploy.scan import Finding
from fleet.deploy.source import Source
from fleet.errors import FleetError, LinkLost
from fleet.events import Event
from fleet.fleet import Fleet
from fleet.inventory import Node

#: A file that changes each time it is read is given up after so many scans.
_MOST_SCANS = 3


class NodeDeploy:
    """A deploy to one node; :meth:`events` may be iterated once."""

    def __init__(self, fleet: Fleet, node: Node, source: Source, options: DeployOptions) -> None:
        self._fleet = fleet
        self._node = node
        self._source = source
        self._options = options
        self._target = Target(node.project, f"{source.deploy}/{node.name}")
        self._report = Reporter(node.name, fleet.clock)
        self._scans = 1

    async def events(self) -> AsyncGenerator[Event, None]:
        """Yield what happens; a failure is an event, too."""
        report = self._report
        try:
            async with aclosing(self._stages()) as stages:
                async for event in stages:
                    yield event
            return
        except FleetError as error:
            what, remedy = error.what, error.remedy
        except (OSError, EOFError) as error:
            what, remedy = f"a file on the master can't be read: {error}", "put that right and deploy again"
        yield report.failed(what, remedy)
        yield report.deployed(ok=False, detail=f"{report.stage}: {what}", remedy=remedy)

    async def _stages(self) -> AsyncGenerator[Event, None]:
        report, options = self._report, self._options
        yield report.begin("connect")
        await self._fleet.link(self._node)
        yield report.done()
        if options.skip_deploy:
            for stage in ("compare", "copy", "environment"):
                yield report.skipped(stage, "left as an earlier deploy made it")
        else:
            async with aclosing(self._update()) as steps:
                async for event in steps:
                    yield event
        if options.dry_run:
            for stage in ("configure",) if options.skip_deploy else ("environment", "configure"):
                yield report.skipped(stage, "dry run")
            yield report.deployed(ok=True, detail="dry run")
            return
        if not options.skip_deploy:
            yield report.begin("environment")
            link = await self._fleet.link(self._node)
            async with aclosing(prepare(link, self._node, self._target, options, report)) as steps:
                async for event in steps:
                    yield event
        async for event in self._configure():
            yield event
        yield report.deployed(ok=True)

    async def _configure(self) -> AsyncGenerator[Event, None]:
        if self._options.configure is None:
            yield self._report.skipped("configure", "nothing to write")
            return
        yield self._report.begin("configure")
        files = dict(self._options.configure(self._node))
        link = await self._fleet.link(self._node)
        await link.call("put", project=self._target.project, deploy=self._target.deploy, files=files)
        yield self._report.done(", ".join(files))

    async def _update(self) -> AsyncGenerator[Event, None]:
        """Compare and copy; again after a lost link (once) and when a file changed meanwhile."""
        contents = await self._source.latest()
        reconnected = False
        while True:
            try:
                async with aclosing(self._compare_and_copy(contents)) as steps:
                    async for event in steps:
                        yield event
                return
            except LinkLost as lost:
                if reconnected:
                    raise
                reconnected = True
                yield self._report.notice("warning", f"{lost.what}; connecting again to go on from there")
            except SourceChanged as changed:
                if self._scans == _MOST_SCANS:
                    raise FleetError(
                        f"{changed.path} keeps changing on the master while it is copied",
                        remedy="list it in .dtuiignore, or stop what writes it",
                    ) from changed
                self._scans += 1
                contents = await self._source.latest(stale=contents)

    async def _compare_and_copy(self, contents: ChunkSource) -> AsyncGenerator[Event, None]:
        report = self._report
        # A node that was reached a moment ago may still be gone by now.
        link = await self._fleet.link(self._node)
        yield report.begin("compare")
        for event in self._check_names(contents, windows=link.hello.get("platform") == "win32"):
            yield event
        plan = Plan()
        async with aclosing(
            compare(
                link,
                self._target,
                contents.scan,
                self._source.digests,
                source=self._source.marker,
                dry_run=self._options.dry_run,
            )
        ) as steps:
            async for step in steps:
                if isinstance(step, Plan):
                    plan = step
                else:
                    yield report.running(f"the node has read {size_text(step)} to compare")
        _refuse(plan.faults)
        yield report.done(summary(plan))
        kept = [
            Finding(path, "is gone from the master, and stays: it was changed here") for path in plan.kept
        ]
        for event in report.findings("warning", kept):
            yield event
        if self._options.dry_run:
            for event in report.changes(plan):
                yield event
            yield report.skipped("copy", "dry run")
        elif plan.same_folder or plan.empty:
            yield report.skipped("copy", summary(plan))
        else:
            async with aclosing(self._copy(plan, contents)) as events:
                async for event in events:
                    yield event

    async def _copy(self, plan: Plan, contents: ChunkSource) -> AsyncGenerator[Event, None]:
        report = self._report
        yield report.begin("copy")
        link = await self._fleet.link(self._node)
        pace = Pace(plan.size, time.monotonic)
        before = report.bytes_sent
        progress = Progress(0, 0)
        async with aclosing(copy(link, self._target, plan, contents)) as steps:
            async for progress in steps:
                report.bytes_sent = before + progress.size
                if pace.advance(progress.size):
                    yield report.copied(plan, progress, pace)
        pace.finish(progress.size)
        report.files_sent = len(plan.send)
        yield report.copied(plan, progress, pace)
        yield report.done(f"{summary(plan)}, {size_text(int(pace.rate))}/s")

    def _check_names(self, contents: ChunkSource, *, windows: bool) -> list[Event]:
        """Return notices about names; raises FleetError when the node can't keep some of them."""
        report, scan = self._report, contents.scan
        paths = [file.path for file in scan.files]
        events = [*report.findings("warning", (*scan.left_out, *alike(paths)))]
        odd = decomposed(paths)
        if odd and windows:
            text = f"{odd[0]!r} and {len(odd) - 1} more names are stored decomposed (NFD)"
            events.append(
                report.notice("warning", text, "programs that look for the composed name miss them")
            )
        _refuse((*scan.faults, *(faults_on_windows(paths) if windows else ())))
        return events


def _refuse(faults: Sequence[Finding]) -> None:
    """Raise FleetError with every fault, if there is one."""
    if faults:
        remedies = sorted({fault.remedy for fault in faults if fault.remedy})
        raise FleetError("\n".join(map(str, faults)), remedy="; ".join(remedies))
