"""The master's files of a run in ``.dtui/runs/<run id>``: plan, origin and record (fleet.runs.record)."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

from agent.wire.message import message
from agent.wire.reasons import reason_of
from fleet.errors import FleetError
from fleet.event_json import EventFormatError, from_json
from fleet.events import Event, RunFinished
from fleet.plan import RunPlan
from fleet.private_files import LARGEST_LIST, make_folder, open_private, read_private, write_private
from fleet.runs.origin import Origin
from fleet.runs.record.folder import FOLDER, OutputFolder
from fleet.runs.record.replay import replay
from fleet.secrets import masked, masked_arguments

#: Segments of output that a summary reads, at most 4 MiB each: a few minutes of a busy run.
_SUMMARY_SEGMENTS = 4
#: The same for a screen, which keeps no more than 256 MiB of log lines anyway.
_SCREEN_SEGMENTS = 32
#: A RunFinished line is far shorter.
_TAIL = 1 << 16


class NoSuchRun(FleetError):
    """The master has no record of this run."""


class RunStore(Struct, frozen=True):
    """The folder of one run below ``home``, the project's ``.dtui``.

    Where the master trains too, its supervisor keeps its own files in the same folder.
    """

    home: Path
    run: str

    @property
    def folder(self) -> Path:
        """Where the files are."""
        return self.home / "runs" / self.run

    @property
    def events_file(self) -> Path:
        """The lifecycle events, see fleet.runs.record; its end may be torn by a crash."""
        return self.folder / "events.jsonl"

    @property
    def output(self) -> OutputFolder:
        """The ranks' output."""
        return OutputFolder(self.folder / FOLDER)

    @property
    def _plan_file(self) -> Path:
        return self.folder / "plan.json"

    @property
    def _origin_file(self) -> Path:
        return self.folder / "origin.json"

    def create(self, plan: RunPlan) -> None:
        """Make the folder and keep the plan; raises FleetError when the run exists or can't be recorded."""
        try:
            make_folder(self.folder)
            with open_private(self._plan_file, "x", encoding="utf-8") as file:
                file.write(_without_secrets(plan).to_json() + "\n")
        except FileExistsError:
            raise FleetError(
                message("run.exists", "run {run} already exists", run=self.run),
                remedy=message("run.exists.remedy", "start it with another id"),
            ) from None
        except OSError as error:
            raise FleetError(
                message("run.not-recorded", "cannot record the run: {error}", error=reason_of(error)),
                remedy=message("run.not-recorded.remedy", "check the folder .dtui of the project"),
            ) from None

    def plan(self) -> RunPlan:
        """Return the kept plan; raises NoSuchRun."""
        try:
            return RunPlan.from_json(read_private(self._plan_file, LARGEST_LIST).decode("utf-8"))
        except FileNotFoundError:
            raise NoSuchRun(
                message("run.unknown-here", "no run {run!r} was started from this project", run=self.run),
                remedy=message("run.unknown-here.remedy", "run `dtui runs` to list the runs"),
            ) from None
        except (OSError, ValueError, RecursionError) as error:
            raise FleetError(
                message(
                    "run.plan-unreadable",
                    "cannot read the plan of run {run}: {error}",
                    run=self.run,
                    error=reason_of(error),
                )
            ) from None

    def keep_origin(self, origin: Origin) -> None:
        """Keep what the run was started from."""
        write_private(self._origin_file, origin.to_json() + "\n")

    def origin(self) -> Origin:
        """Return what the run was started from; an empty one when that was not kept."""
        try:
            return Origin.from_json(read_private(self._origin_file).decode("utf-8"))
        except (OSError, UnicodeDecodeError):
            return Origin()

    def finished(self) -> RunFinished | None:
        """Return the recorded end of the run, None without one."""
        return _finish(self.events_file)

    def events(self) -> Iterator[Event]:
        """Yield what was recorded so far, see :func:`replay`; nothing when there is no record."""
        if self.events_file.exists():
            yield from replay(self.events_file)

    def shown_events(self) -> Iterator[Event]:
        """Yield what a screen has room for: all lifecycle events and the newest output."""
        if self.events_file.exists():
            yield from replay(self.events_file, newest=_SCREEN_SEGMENTS)

    def summary(self) -> Iterator[Event]:
        """Yield all lifecycle events, and from the newest output the step records, but no log chunks."""
        if self.events_file.exists():
            yield from replay(self.events_file, newest=_SUMMARY_SEGMENTS, logs=False)

    def first_event(self) -> Event | None:
        """Return the first event, with the time of the launch; None without a record."""
        if not self.events_file.exists():
            return None
        return next(replay(self.events_file, newest=0), None)


def _without_secrets(plan: RunPlan) -> RunPlan:
    """Return the plan with masked arguments: no run is started from a stored plan."""
    parts = []
    for part in plan.nodes:
        processes = tuple(
            replace(
                process,
                argv=tuple(masked_arguments(process.argv)),
                env=_masked(process.env),
            )
            for process in part.processes
        )
        parts.append(replace(part, processes=processes, variables=_masked(part.variables)))
    return replace(plan, nodes=tuple(parts))


def _masked(variables: dict[str, str]) -> dict[str, str]:
    return {name: str(masked(value, name)) for name, value in variables.items()}


class RunSummary(Struct, frozen=True):
    """A recorded run. ``finished`` is None for one that is running, or that no console watched to its end."""

    run: str
    plan: RunPlan
    finished: RunFinished | None


def find_runs(home: Path) -> tuple[RunSummary, ...]:
    """Return the runs launched from this project, the oldest first; unreadable ones are left out."""
    found = []
    for folder in sorted((home / "runs").glob("*/")):
        store = RunStore(home, folder.name)
        try:
            found.append(RunSummary(folder.name, store.plan(), store.finished()))
        except FleetError:
            continue
    return tuple(found)


def _finish(path: Path) -> RunFinished | None:
    """Return the last event of a recording if it is the run's end, reading no more than its tail."""
    try:
        with open_private(path, "rb") as file:
            file.seek(-min(_TAIL, file.seek(0, os.SEEK_END)), os.SEEK_END)
            lines = file.read().splitlines(keepends=True)
    except OSError:
        return None
    for line in reversed(lines):
        if line.endswith(b"\n"):
            try:
                event = from_json(line)
            except EventFormatError:
                return None
            return event if isinstance(event, RunFinished) else None
    return None
