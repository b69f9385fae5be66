"""The events of a deploy to one node, in words."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from fleet.deploy.compare import Plan
from fleet.deploy.copy import Progress
from fleet.deploy.pace import Pace
from fleet.deploy.scan import Finding
from fleet.events import CopyProgressed, Event, FileChange, NodeDeployed, Notice, StageChanged

#: Findings that don't stop the deploy are told one by one up to here; the rest is counted.
_MOST_TOLD = 20


class Reporter:
    """Makes events for ``node`` and remembers the running ``stage`` and what was sent."""

    def __init__(self, node: str, clock: Callable[[], float]) -> None:
        self.stage = ""
        self.files_sent = 0
        self.bytes_sent = 0
        self._node = node
        self._clock = clock

    def stamped(self, event: Event) -> Event:
        """Return the event with this node's name and the time."""
        return replace(event, node=self._node, at=self._clock())

    def begin(self, stage: str) -> Event:
        """A stage runs from now on."""
        self.stage = stage
        return self.running()

    def running(self, detail: str = "") -> Event:
        """The stage goes on; ``detail`` says what it does."""
        return self._changed(self.stage, "running", detail)

    def done(self, detail: str = "") -> Event:
        """The stage has succeeded."""
        return self._changed(self.stage, "done", detail)

    def failed(self, detail: str, remedy: str) -> Event:
        """The stage has failed, and with it the deploy to this node."""
        return self._changed(self.stage, "failed", detail, remedy)

    def skipped(self, stage: str, reason: str) -> Event:
        """A stage need not run."""
        return self._changed(stage, "skipped", reason)

    def deployed(self, *, ok: bool, detail: str = "", remedy: str = "") -> Event:
        """The deploy to this node has ended."""
        return self.stamped(
            NodeDeployed(
                ok=ok, files_sent=self.files_sent, bytes_sent=self.bytes_sent, detail=detail, remedy=remedy
            )
        )

    def notice(self, level: str, text: str, remedy: str = "") -> Event:
        """Something worth knowing that is no stage."""
        return self.stamped(Notice(level=level, text=text, remedy=remedy))

    def findings(self, level: str, findings: Sequence[Finding], most: int = _MOST_TOLD) -> Iterator[Event]:
        """A notice for each of the first ``most`` findings, and one for the rest."""
        for finding in findings[:most]:
            yield self.notice(level, str(finding), finding.remedy)
        if len(findings) > most:
            yield self.notice(level, f"and {len(findings) - most} more such names")

    def changes(self, plan: Plan) -> Iterator[Event]:
        """What a plan would do, file by file."""
        for item in plan.send:
            action = "replace" if item.file.path in plan.replaced else "add"
            yield self.stamped(FileChange(path=item.file.path, action=action, size=item.file.size))
        for path, size in plan.delete:
            yield self.stamped(FileChange(path=path, action="delete", size=size))

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

    def _changed(self, stage: str, state: str, detail: str = "", remedy: str = "") -> Event:
        return self.stamped(StageChanged(stage=stage, state=state, detail=detail, remedy=remedy))


def summary(plan: Plan) -> str:
    """Say in a few words what a plan changes."""
    if plan.same_folder:
        return "this is the folder that is deployed"
    parts = []
    if plan.send:
        parts.append(f"{_files(len(plan.send))} to send ({size_text(plan.size)})")
    if plan.adjust:
        parts.append(f"{_stamps(len(plan.adjust))} to set")
    if plan.delete:
        parts.append(f"{_files(len(plan.delete))} to delete")
    return ", ".join(parts) or "nothing to change"


def size_text(size: int) -> str:
    """Return a number of bytes with a unit, 1000 to the next."""
    value = float(size)
    for unit in ("B", "kB", "MB", "GB"):
        if value < 1000:
            return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1000
    return f"{value:.1f} TB"


def _files(number: int) -> str:
    return f"{number} file" if number == 1 else f"{number} files"


def _stamps(number: int) -> str:
    return f"{number} time stamp" if number == 1 else f"{number} time stamps"
