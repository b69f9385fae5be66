"""The stages of a deploy to one node."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing

from agent.wire.deploy import PutArgs
from agent.wire.message import EMPTY, Message, message
from agent.wire.operations import PUT
from agent.wire.reasons import reason_of
from fleet.deploy.check_scan import check_scan, refuse
from fleet.deploy.chunks import ChunkSource
from fleet.deploy.compare import Plan, Target, compare
from fleet.deploy.data_stage import DataSource, DataStage
from fleet.deploy.environment import prepare
from fleet.deploy.options import DeployOptions
from fleet.deploy.other_project import ask_before_replacing
from fleet.deploy.portability import alike
from fleet.deploy.reporter import Reporter, copied, differences, summary
from fleet.deploy.scan import SourceFile
from fleet.deploy.selection import selection_remarks
from fleet.deploy.setup import set_up
from fleet.deploy.sharing import shares, wait_for_sharer
from fleet.deploy.source import Source
from fleet.deploy.transfer import attempts, transfer
from fleet.deploy.waits import Waits
from fleet.errors import FleetError, LinkLost
from fleet.events import Event, StageChanged, StageName
from fleet.fleet import Fleet
from fleet.internal_errors import internal_error
from fleet.inventory import Node

#: Some stages of a deploy of these contents.
Stages = Callable[[ChunkSource], AsyncGenerator[Event, None]]


class NodeDeploy:
    """A deploy to one node, or a part of one; only one of the methods, and once."""

    def __init__(
        self,
        fleet: Fleet,
        node: Node,
        source: Source,
        options: DeployOptions,
        data: DataSource | None = None,
    ) -> None:
        self._fleet = fleet
        self._node = node
        self._source = source
        self._options = options
        self._target = Target(node.project, f"{source.deploy}/{node.name}")
        self._report = Reporter(node.name, fleet.clock)
        self._data = data

    async def deploy(self) -> AsyncGenerator[Event, None]:
        """Bring the project, the environment and the node's own files up to date; ends with NodeDeployed."""
        async with aclosing(self._with_failure(self._deploy())) as stages:
            async for event in stages:
                yield event
                if isinstance(event, StageChanged) and event.state == "failed":
                    yield self._report.not_deployed(event.detail, event.remedy)

    def preview(self) -> AsyncGenerator[Event, None]:
        """Show what a deploy would change; ends with DeployPreview unless a stage fails."""
        return self._with_failure(self._preview())

    def check(self, *, force: bool) -> AsyncGenerator[Event, None]:
        """Compare the node's files with the master's; a difference is a failure, with ``force`` a warning."""
        return self._with_failure(self._check(force=force))

    def configure(self) -> AsyncGenerator[Event, None]:
        """Write the node's own files, and take all else as an earlier deploy left it."""
        return self._with_failure(self._configure())

    async def _with_failure(self, stages: AsyncGenerator[Event, None]) -> AsyncGenerator[Event, None]:
        """Yield what happens; an error fails the stage and is raised for no other node."""
        what: Message
        remedy = EMPTY
        try:
            async with aclosing(stages):
                async for event in stages:
                    yield event
            return
        except FleetError as error:
            what, remedy = error.what, error.remedy
        except (OSError, EOFError) as error:
            what = message(
                "deploy.master-unreadable",
                "a file on the master can't be read: {error}",
                error=reason_of(error),
            )
            remedy = message("deploy.master-unreadable.remedy", "make the file readable and deploy again")
        except Exception as error:  # noqa: BLE001 -- an internal error, whatever it is
            what = internal_error(error, f"deploy to {self._node.name}")
        yield self._report.failed(what, remedy)

    async def _deploy(self) -> AsyncGenerator[Event, None]:
        async for event in self._connect():
            yield event
        copied_all = False
        try:
            async with aclosing(self._retried(self._copy_differences)) as steps:
                async for event in steps:
                    yield event
            copied_all = True
        finally:
            self._source.finish(self._node.name, ok=copied_all)
        yield self._report.begin("environment")
        link = await self._fleet.link(self._node)
        run, root = self._fleet.inventory.run, self._source.root
        preparing = prepare(link, self._node, run, root, self._target, self._options, self._report)
        async with aclosing(preparing) as steps:
            async for event in steps:
                yield event
        async with aclosing(self._set_up((await self._source.latest()).scan.files)) as steps:
            async for event in steps:
                yield event
        async for event in self._write_files():
            yield event
        async for event in self._copy_data(dry_run=False):
            yield event
        yield self._report.deployed(ok=True)

    async def _preview(self) -> AsyncGenerator[Event, None]:
        async for event in self._connect():
            yield event
        async for event in self._copy_data(dry_run=True):
            yield event
        async with aclosing(self._retried(self._show_differences)) as steps:
            async for event in steps:
                yield event

    async def _check(self, *, force: bool) -> AsyncGenerator[Event, None]:
        async for event in self._connect():
            yield event
        try:
            async with aclosing(self._retried(self._refuse_differences)) as steps:
                async for event in steps:
                    yield event
        except FleetError as error:
            if not force or isinstance(error, LinkLost):
                raise
            yield self._report.warning(error.what)
            yield self._report.skipped(
                "compare", message("launch.forced", "--force: the node's files are used")
            )

    async def _set_up(self, files: Sequence[SourceFile] | None) -> AsyncGenerator[Event, None]:
        """Run the setup commands, if there are any; ``files`` are those of this deploy."""
        run = self._fleet.inventory.run
        if not run.setup:
            return
        yield self._report.begin("setup")
        link = await self._fleet.link(self._node)
        async with aclosing(
            set_up(link, self._node, run, files, self._target, self._options, self._report)
        ) as steps:
            async for event in steps:
                yield event

    async def _configure(self) -> AsyncGenerator[Event, None]:
        left: tuple[StageName, ...] = ("copy", "environment")
        for stage in left:
            reason = message("deploy.not-repeated", "the last deploy's result is used")
            yield self._report.skipped(stage, reason)
        async with aclosing(self._set_up(None)) as steps:
            async for event in steps:
                yield event
        async for event in self._write_files():
            yield event

    async def _connect(self) -> AsyncGenerator[Event, None]:
        yield self._report.begin("connect")
        async with aclosing(self._fleet.connecting(self._node)) as waits:
            async for wait in waits:
                if wait.detail:
                    yield self._report.running(wait.detail)
        yield self._report.done()

    async def _write_files(self) -> AsyncGenerator[Event, None]:
        if self._options.configure is None:
            nothing = message("deploy.nothing-to-write", "nothing to write")
            yield self._report.skipped("configure", nothing)
            return
        yield self._report.begin("configure")
        files = dict(self._options.configure(self._node))
        link = await self._fleet.link(self._node)
        target = self._target
        args = PutArgs(project=target.project, deploy=target.deploy, files=files)
        waits = Waits(link.node)
        async with link.request(PUT, args) as request:
            await request.end()
            async for item in request:
                waits.add(item.body["waiting"])
        yield self._report.done(Message(", ".join(files)))

    def _retried(self, stages: Stages) -> AsyncGenerator[Event, None]:
        return attempts(self._source, self._report, stages, self._selection)

    async def _copy_data(self, *, dry_run: bool) -> AsyncGenerator[Event, None]:
        if self._data is None:
            return
        stage = DataStage(self._fleet, self._node, self._data, self._report, dry_run=dry_run)
        copied_all = False
        try:
            async with aclosing(stage.events()) as steps:
                async for event in steps:
                    yield event
            copied_all = True
        finally:
            self._data.source.finish(self._node.name, ok=copied_all)

    async def _copy_differences(self, contents: ChunkSource) -> AsyncGenerator[Event, None]:
        report, plan = self._report, Plan()
        yield report.begin("compare")
        async with aclosing(self._differences(contents, dry_run=False)) as steps:
            async for step in steps:
                if isinstance(step, Plan):
                    plan = step
                else:
                    yield step
        if plan.shares:
            async for event in wait_for_sharer(self._source, self._node, plan.shares, report):
                yield event
            yield report.skipped("copy", shares(plan.shares))
            return
        await ask_before_replacing(plan, self._node, self._options)
        yield report.done(summary(plan))
        for event in report.kept(plan.kept):
            yield event
        if plan.same_folder or plan.empty:
            yield report.skipped("copy", summary(plan))
            return
        yield report.begin("copy")
        link = await self._fleet.link(self._node)
        origin = self._source.origin
        async with aclosing(transfer(link, self._target, plan, contents, report, origin=origin)) as events:
            async for event in events:
                yield event
        yield report.done(copied(plan, report.rate))

    async def _show_differences(self, contents: ChunkSource) -> AsyncGenerator[Event, None]:
        report = self._report
        yield report.begin("compare")
        async with aclosing(self._differences(contents, dry_run=True)) as steps:
            async for step in steps:
                if not isinstance(step, Plan):
                    yield step
                    continue
                yield report.done(summary(step))
                for event in report.kept(step.kept):
                    yield event
                for event in report.preview(step):
                    yield event

    async def _refuse_differences(self, contents: ChunkSource) -> AsyncGenerator[Event, None]:
        yield self._report.begin("compare")
        async with aclosing(self._differences(contents, dry_run=True)) as steps:
            async for step in steps:
                if not isinstance(step, Plan):
                    yield step
                    continue
                if what := differences(step, len(contents.scan.files)):
                    remedy = message(
                        "launch.files-differ.remedy",
                        "run `dtui up`, which deploys first, or add --force to use the node's files",
                    )
                    raise FleetError(what, remedy=remedy)
                yield self._report.done(summary(step))

    async def _differences(
        self, contents: ChunkSource, *, dry_run: bool
    ) -> AsyncGenerator[Event | Plan, None]:
        """Yield the progress of the comparison, and its plan last; raises FleetError."""
        # The node may have become unreachable since the connect stage.
        link = await self._fleet.link(self._node)
        for event in check_scan(contents.scan, self._report, windows=link.platform == "win32"):
            yield event
        comparison = compare(
            link,
            self._target,
            contents.scan,
            self._source.digests,
            source=self._source.marker,
            dry_run=dry_run,
            origin=self._source.origin,
        )
        async with aclosing(comparison) as steps:
            async for step in steps:
                if isinstance(step, Plan):
                    refuse(step.faults)
                    yield step
                else:
                    yield self._report.running(
                        message(
                            "deploy.comparing", "the node has read {size:bytes} to compare files", size=step
                        )
                    )

    def _selection(self, contents: ChunkSource) -> list[Event]:
        """Return notices about what is sent and what is not, once for all nodes."""
        scan, source, report = contents.scan, self._source, self._report
        paths = [file.path for file in scan.files]
        return [
            *report.remarks(selection_remarks(scan, source.unreported)),
            *report.findings(source.unreported((*scan.left_out, *alike(paths)))),
        ]
