"""What the master keeps of a run in ``.dtui/runs/<run id>``: plan.json, origin.json and events.jsonl."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from fleet.errors import FleetError
from fleet.events import Event, EventFormatError, Notice, RunFinished, from_json
from fleet.frozen import frozen
from fleet.plan import RunPlan
from fleet.runs.origin import Origin

#: A RunFinished line is far shorter.
_TAIL = 1 << 16


class NoSuchRun(FleetError):
    """The master has no record of this run."""


@frozen
class RunStore:
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
        """One event a line, in the order they were seen; its end may be torn by a crash."""
        return self.folder / "events.jsonl"

    @property
    def _plan_file(self) -> Path:
        return self.folder / "plan.json"

    @property
    def _origin_file(self) -> Path:
        return self.folder / "origin.json"

    def create(self, plan: RunPlan) -> None:
        """Make the folder and keep the plan; raises FleetError when the run exists."""
        self.folder.mkdir(parents=True, exist_ok=True)
        try:
            with self._plan_file.open("x", encoding="utf-8") as file:
                file.write(plan.to_json() + "\n")
        except FileExistsError:
            raise FleetError(f"there is a run {self.run} already", remedy="launch under a new id") from None

    def plan(self) -> RunPlan:
        """Return the kept plan; raises NoSuchRun."""
        try:
            return RunPlan.from_json(self._plan_file.read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise NoSuchRun(
                f"no run {self.run!r} was launched from this project", remedy="dtui status lists the runs"
            ) from None

    def keep_origin(self, origin: Origin) -> None:
        """Keep what the run was started from."""
        self._origin_file.write_text(origin.to_json() + "\n", encoding="utf-8")

    def origin(self) -> Origin:
        """Return what the run was started from; an empty one when that was not kept."""
        try:
            return Origin.from_json(self._origin_file.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError):
            return Origin()

    def events(self, *, without: type[Event] | None = None) -> Iterator[Event]:
        """Yield what was recorded so far, see :func:`replay`; nothing when there is no recording."""
        if self.events_file.exists():
            yield from replay(self.events_file, without=without)


def replay(path: Path, *, without: type[Event] | None = None) -> Iterator[Event]:
    """Yield the events of a recording in their order; those of the kind ``without`` are not even decoded.

    A line that can't be read becomes a Notice in its place; an unfinished last line is left out.
    """
    skipped = None if without is None else f'{{"event":"{without.__name__}"'.encode("ascii")
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            if not line.endswith(b"\n"):
                return
            if skipped is not None and line.startswith(skipped):
                continue
            try:
                yield from_json(line.decode("utf-8", "replace"))
            except EventFormatError as error:
                yield Notice(level="warning", text=f"{path.name}, line {number}: {error}")


@frozen
class RunSummary:
    """A recorded run. ``finished`` is None for one that is under way, or that nobody watched to its end."""

    run: str
    plan: RunPlan
    finished: RunFinished | None


def find_runs(home: Path) -> tuple[RunSummary, ...]:
    """Return the runs launched from this project, the oldest first; unreadable ones are left out."""
    found = []
    for folder in sorted((home / "runs").glob("*/")):
        store = RunStore(home, folder.name)
        try:
            found.append(RunSummary(folder.name, store.plan(), _finish(store.events_file)))
        except FleetError:
            continue
    return tuple(found)


def _finish(path: Path) -> RunFinished | None:
    """Return the last event of a recording if it is the run's end, reading no more than its tail."""
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - _TAIL))
            lines = file.read().splitlines(keepends=True)
    except OSError:
        return None
    for line in reversed(lines):
        if line.endswith(b"\n"):
            try:
                event = from_json(line.decode("utf-8", "replace"))
            except EventFormatError:
                return None
            return event if isinstance(event, RunFinished) else None
    return None
