"""The events of a deploy to one node, and their messages."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

from msgspec.structs import replace

from agent.wire.message import EMPTY, Message, message
from fleet.deploy.compare import Plan
from fleet.deploy.copy import Progress
from fleet.deploy.pace import Pace
from fleet.deploy.scan import Finding
from fleet.deploy.selection import Remark
from fleet.events import (
    CopyProgressed,
    DeployPreview,
    Event,
    FileAction,
    FileChange,
    NodeDeployed,
    Notice,
    StageChanged,
    StageName,
    StageState,
)

#: Findings that don't stop the deploy are reported one by one up to this number; the rest is counted.
_MAX_NOTICES = 20

_STAGES: dict[StageName, Message] = {
    "connect": message("deploy.stage.connect", "connect"),
    "compare": message("deploy.stage.compare", "compare"),
    "copy": message("deploy.stage.copy", "copy"),
    "environment": message("deploy.stage.environment", "environment"),
    "setup": message("deploy.stage.setup", "setup commands"),
    "configure": message("deploy.stage.configure", "configure"),
    "data": message("deploy.stage.data", "data"),
}


class Reporter:
    """Makes events for ``node`` and remembers the running ``stage`` and what was sent."""

    def __init__(self, node: str, clock: Callable[[], float]) -> None:
        self.stage: StageName = "connect"
        self.files_sent = 0
        self.bytes_sent = 0
        #: Bytes per second of the last copy.
        self.rate = 0.0
        self._node = node
        self._clock = clock

    def stamped(self, event: Event) -> Event:
        """Return the event with this node's name and the time."""
        return replace(event, node=self._node, at=self._clock())

    def begin(self, stage: StageName) -> Event:
        """A stage runs from now on."""
        self.stage = stage
        return self.running()

    def running(self, detail: Message = EMPTY) -> Event:
        """The stage continues; ``detail`` describes its progress."""
        return self._changed(self.stage, "running", detail)

    def done(self, detail: Message = EMPTY) -> Event:
        """The stage has succeeded."""
        return self._changed(self.stage, "done", detail)

    def failed(self, what: Message, remedy: Message) -> Event:
        """The stage has failed."""
        return self._changed(self.stage, "failed", what, remedy)

    def not_deployed(self, what: Message, remedy: Message) -> Event:
        """The deploy to this node has failed with its stage."""
        detail = message("deploy.failed", "{stage}: {what}", stage=_STAGES[self.stage], what=what)
        return self.deployed(ok=False, detail=detail, remedy=remedy)

    def skipped(self, stage: StageName, reason: Message) -> Event:
        """A stage need not run."""
        return self._changed(stage, "skipped", reason)

    def deployed(self, *, ok: bool, detail: Message = EMPTY, remedy: Message = EMPTY) -> Event:
        """The deploy to this node has ended."""
        return self.stamped(
            NodeDeployed(
                ok=ok, files_sent=self.files_sent, bytes_sent=self.bytes_sent, detail=detail, remedy=remedy
            )
        )

    def warning(self, text: Message, remedy: Message = EMPTY) -> Event:
        """A problem that does not stop the deploy."""
        return self.stamped(Notice(level="warning", text=text, remedy=remedy))

    def remarks(self, remarks: Iterable[Remark]) -> Iterator[Event]:
        """Notices about the project, which concern all nodes."""
        for remark in remarks:
            yield Notice(at=self._clock(), level=remark.level, text=remark.text, remedy=remark.remedy)

    def findings(self, findings: Sequence[Finding]) -> Iterator[Event]:
        """Warnings about the project: one for each of the first findings, and one for the rest."""
        yield from self.remarks(
            Remark("warning", finding.what, finding.remedy) for finding in findings[:_MAX_NOTICES]
        )
        rest = len(findings) - _MAX_NOTICES
        if rest > 0:
            more = message("deploy.more-findings", "{count:n more file} with such problems", count=rest)
            yield from self.remarks([Remark("warning", more)])

    def kept(self, paths: Sequence[str]) -> Iterator[Event]:
        """A warning for each of the first files that the node keeps, and one for the rest."""
        for path in paths[:_MAX_NOTICES]:
            yield self.warning(
                message(
                    "deploy.kept",
                    "{path!r} was deleted on the master and changed on the node: it is kept on the node",
                    path=path,
                )
            )
        rest = len(paths) - _MAX_NOTICES
        if rest > 0:
            yield self.warning(
                message("deploy.more-kept", "{count:n more file} kept on the node", count=rest)
            )

    def changes(self, plan: Plan) -> Iterator[Event]:
        """What a plan would do, file by file."""
        for item in plan.send:
            action: FileAction = "replace" if item.file.path in plan.replaced else "add"
            yield self.stamped(FileChange(path=item.file.path, action=action, size=item.file.size))
        for path, size in plan.delete:
            yield self.stamped(FileChange(path=path, action="delete", size=size))

    def preview(self, plan: Plan) -> Iterator[Event]:
        """What a plan would do, file by file, and in total."""
        yield from self.changes(plan)
        yield self.stamped(
            DeployPreview(
                files_to_send=len(plan.send),
                bytes_to_send=plan.size,
                files_to_delete=len(plan.delete),
                files_to_adjust=len(plan.adjust),
            )
        )

    def copied(self, plan: Plan, progress: Progress, pace: Pace) -> Event:
        """How far the copy is."""
        return self.stamped(
            CopyProgressed(
                files_done=progress.files,
                files_total=len(plan.send),
                bytes_done=progress.size,
                bytes_total=plan.size,
                rate=pace.rate,
                eta=pace.eta,
            )
        )

    def _changed(
        self, stage: StageName, state: StageState, detail: Message = EMPTY, remedy: Message = EMPTY
    ) -> Event:
        return self.stamped(StageChanged(stage=stage, state=state, detail=detail, remedy=remedy))


def summary(plan: Plan) -> Message:
    """Return what a plan changes: numbers of files, and the size."""
    if plan.same_folder:
        return message("deploy.same-folder", "this folder is the source of the deploy")
    parts = []
    if plan.send:
        parts.append(
            message(
                "deploy.to-send",
                "{files:n file} to send ({size:bytes})",
                files=len(plan.send),
                size=plan.size,
            )
        )
    if plan.adjust:
        parts.append(message("deploy.to-adjust", "{count:n time stamp} to set", count=len(plan.adjust)))
    if plan.delete:
        parts.append(message("deploy.to-delete", "{files:n file} to delete", files=len(plan.delete)))
    if not parts:
        return message("deploy.nothing-to-change", "nothing to change")
    return message("deploy.changes", "{parts}", parts=parts)


#: Differing files that a launch names.
_MAX_NAMED = 5


def differences(plan: Plan, files: int) -> Message:
    """Return how a node's files differ from the master's, which has ``files``; empty when they do not."""
    if files and len(plan.send) == files and not (plan.replaced or plan.delete or plan.kept):
        return message("launch.not-deployed", "nothing has been deployed to this node")
    changed = [Message(item.file.path) for item in plan.send]
    extra = [
        message("launch.only-on-node", "{path} (only on the node)", path=path) for path, _ in plan.delete
    ]
    paths = sorted((*changed, *extra))
    if not paths:
        return EMPTY
    if len(paths) <= _MAX_NAMED:
        return message(
            "launch.files-differ",
            "{count:n file} not as on the master: {paths}",
            count=len(paths),
            paths=paths,
        )
    return message(
        "launch.more-files-differ",
        "{count:n file} not as on the master: {paths} and {more} more",
        count=len(paths),
        paths=paths[:_MAX_NAMED],
        more=len(paths) - _MAX_NAMED,
    )


def copied(plan: Plan, rate: float) -> Message:
    """Return what a copy has changed, with its rate in bytes per second."""
    return message("deploy.copied", "{changes}, {rate:byte-rate}", changes=summary(plan), rate=rate)
