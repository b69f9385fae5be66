"""Starts a node's ranks, keeps their status, and ends them: all of them when one has failed."""

from __future__ import annotations

import os
import queue
import threading
import time
from contextlib import suppress
from typing import Callable, Dict, List, NamedTuple, Optional, Tuple, TypedDict

from agent import paths
from agent.environments.variables import VariablesError, environment_of
from agent.observer import report
from agent.observer.install import install, path_with
from agent.private import opener
from agent.processes import Group, Identity
from agent.processes.group import end_groups
from agent.processes.idleness import Idleness
from agent.secrets import Reference, SecretsError, fetch
from agent.supervisor.folder import RunFolder, read, write_status
from agent.supervisor.folder_monitor import FolderLostError, FolderMonitor
from agent.supervisor.log_limit import LIMIT, LogLimit
from agent.supervisor.spec import RunSpec, SpecError, command, load, working_folder
from agent.wire.decode import WireError, decode
from agent.wire.message import NO_MESSAGE, Message, message, to_data
from agent.wire.reasons import reason_of
from agent.wire.runs import Observed, RankCommand, RankStatus, RunStateName, RunStatus

_POLL_INTERVAL = 0.05
_HEARTBEAT = 2.0
#: At 1 GB/s a log grows by half its default limit between two checks.
_LOGS_EVERY = 0.5
#: The observers check once per second.
_OBSERVERS_EVERY = 1.0
#: A rank that stays at one place for so long is checked for idleness, which lists all processes of the node.
_QUIET_AFTER = 5.0
_IDLENESS_EVERY = 2.0
#: Seconds between asking a process to end and ending it.
_TIMEOUT = 2.0


class _Exit(NamedTuple):
    position: int
    code: int
    at: float


class StopRequest(TypedDict):
    """``stop.json``: when a stop was requested, and how many seconds the ranks get."""

    at: float
    grace: float


class Supervisor:
    """One run on this node, from the first process to the last."""

    def __init__(
        self,
        folder: RunFolder,
        me: Identity,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._folder = folder
        self._folder_monitor = FolderMonitor(folder, me)
        self._clock = clock
        self._groups: List[Group] = []
        self._exits: queue.SimpleQueue[_Exit] = queue.SimpleQueue()
        self._deadline: Optional[float] = None
        self._stop_asked = threading.Event()
        self._stop_seen: Optional[StopRequest] = None
        self._written = 0.0
        self._logs: List[LogLimit] = []
        self._logs_seen = 0.0
        #: The observers' folder, empty when ranks are not observed.
        self._observers = ""
        self._observers_seen = 0.0
        self._idleness: List[Idleness] = []
        self._idleness_seen = 0.0
        self._status: RunStatus = {
            "run": folder.run,
            "node": _announced_node(folder),
            "state": "starting",
            "error": NO_MESSAGE,
            "supervisor": me.as_json(),
            "ranks": [],
            "at": clock(),
        }

    def ask_to_stop(self) -> None:
        """End the run as if a stop had been requested; safe in a signal handler."""
        self._stop_asked.set()

    def run(self) -> int:
        """Supervise until the last rank has ended; return the process's exit status."""
        self._write()
        if read(self._folder.stop_request) is not None:
            self._write("stopped")  # no console waits for us any more
            return 0
        try:
            spec = load(self._folder)
            self._status["node"] = spec["node"]
            # Held by this frame only until the ranks have them in their environments.
            self._start_all(spec, fetch(Reference.from_json(spec["secrets"])) if "secrets" in spec else {})
        except (SpecError, SecretsError, VariablesError) as error:
            return self._give_up(error.message)
        except OSError as error:
            return self._give_up(reason_of(error))
        self._write("running")
        while self._running():
            self._take_exits(_POLL_INTERVAL)
            if not self._check_folder(spec):
                break
            self._check_for_stop(spec)
            if self._running() and self._must_end():
                self._end_all()
            self._check_logs()
            self._check_observers()
            if time.monotonic() - self._written > _HEARTBEAT:
                self._write()
        self._check_logs(now=True)
        self._check_folder(spec, now=True)
        self._write(self._outcome())
        return 0

    # ---- starting

    def _start_all(self, spec: RunSpec, secrets: Dict[str, str]) -> None:
        # All commands are worked out first, so that a fault in one starts none.
        commands = [command(rank, spec, self._folder.root) for rank in spec["ranks"]]
        if spec.get("observe", True):
            try:
                self._observers = install(paths.shown(self._folder.path))
            except OSError as error:
                self._log("the ranks are not observed: %s" % reason_of(error))
        folder = working_folder(spec, self._folder.root)
        bases: Dict[str, Dict[str, str]] = {}
        for argv in commands:
            if argv[0] not in bases:
                found = environment_of(argv[0], spec.get("variables", {}), secrets)
                bases[argv[0]] = found.environment
                for warning in found.warnings:
                    self._log(warning)
        for rank, argv in zip(spec["ranks"], commands):
            self._start(rank, argv, folder, {**bases[argv[0]], **rank["env"]})
            self._logs.append(LogLimit(self._folder.log(rank["rank"]), spec.get("log_limit", LIMIT)))

    def _start(self, rank: RankCommand, argv: List[str], folder: str, variables: Dict[str, str]) -> None:
        environment = {
            **variables,
            "DTUI_RUN_ID": self._folder.run,
            "DTUI_NODE": self._status["node"],
            "DTUI_STOP_FILE": paths.shown(self._folder.stop_file),
            # Where torch's @record decorator, and its launchers, write an exception as JSON.
            "TORCHELASTIC_ERROR_FILE": paths.shown(self._folder.error_file(rank["rank"])),
        }
        if "DTUI_DATA" in environment:
            data = os.path.join(paths.shown(self._folder.root), os.path.expanduser(environment["DTUI_DATA"]))
            environment["DTUI_DATA"] = os.path.normpath(data)
        if self._observers:
            environment["PYTHONPATH"] = path_with(self._observers, environment)
        with open(self._folder.log(rank["rank"]), "ab", opener=opener) as output:
            try:
                group = Group.start(argv, cwd=folder, env=environment, output=output)
            except OSError as error:
                what = message(
                    "spec.not-started",
                    "rank {rank}: {program} can't be started: {error}",
                    rank=rank["rank"],
                    program=argv[0],
                    error=reason_of(error),
                )
                raise SpecError(what) from None
        index = len(self._groups)
        self._groups.append(group)
        self._idleness.append(Idleness(group.identity))
        self._status["ranks"].append(
            {
                "rank": rank["rank"],
                "local_rank": rank["local_rank"],
                **group.identity.as_json(),
                "started_at": self._clock(),
                "exited_at": None,
                "exit_code": None,
                "stopped": False,
                "observed": None,
            }
        )
        # A waiting thread per rank gives the true time of each end, and so the earliest one.
        threading.Thread(target=self._wait_for, args=(index,), daemon=True).start()
        self._log("rank %d started as %d" % (rank["rank"], group.identity.pid))
        self._write()

    def _wait_for(self, index: int) -> None:
        code = self._groups[index].wait()
        self._exits.put(_Exit(index, code, self._clock()))

    def _give_up(self, reason: Message) -> int:
        self._log(reason)
        self._status["error"] = to_data(reason)
        self._end_all()
        self._write("failed")
        return 0

    # ---- watching

    def _running(self) -> List[Group]:
        ranks = self._status["ranks"]
        return [group for group, rank in zip(self._groups, ranks) if not _over(rank)]

    def _take_exits(self, wait: float) -> None:
        """Record the ranks that have ended, and end their remaining processes."""
        ended = []
        try:
            # `get(timeout=0)` of Python 3.9 can wait forever.
            ended.append(self._exits.get(timeout=wait) if wait else self._exits.get_nowait())
            while True:
                ended.append(self._exits.get_nowait())
        except queue.Empty:
            pass
        if not ended:
            return
        for one in ended:
            rank = self._status["ranks"][one.position]
            rank["exit_code"] = one.code
            rank["exited_at"] = one.at
            self._log("rank %d ended with %d" % (rank["rank"], one.code))
        self._write()
        self._end([self._groups[one.position] for one in ended], 0.0)

    def _check_folder(self, spec: RunSpec, now: bool = False) -> bool:
        """Put the run's folder back if it is gone; end all ranks, and return False, where that fails."""
        try:
            happened = self._folder_monitor.check(spec, now)
        except FolderLostError as error:
            self._give_up(error.message)
            return False
        if happened is not None:
            self._log(happened)
            self._write()
        return True

    def _check_logs(self, now: bool = False) -> None:
        if now or time.monotonic() - self._logs_seen > _LOGS_EVERY:
            self._logs_seen = time.monotonic()
            for log in self._logs:
                said = log.check()
                if said is not None:
                    self._log(said)

    def _check_observers(self) -> None:
        if not self._observers or time.monotonic() - self._observers_seen < _OBSERVERS_EVERY:
            return
        self._observers_seen = now = time.monotonic()
        measure = now - self._idleness_seen > _IDLENESS_EVERY
        if measure:
            self._idleness_seen = now
        changed = False
        for rank, idleness in zip(self._status["ranks"], self._idleness):
            if not _over(rank):
                before = rank["observed"]
                rank["observed"] = seen = report.read(self._observers, rank["rank"], self._clock())
                changed = changed or _phase(seen) != _phase(before)
                if seen is None or self._clock() - seen["since"] < _QUIET_AFTER:
                    idleness.forget()
                elif measure:
                    seen["idle"] = idleness.seconds()
                else:
                    seen["idle"] = before["idle"] if before is not None else None
        # A stack that has changed is sent with the next heartbeat.
        if changed:
            self._write()

    def _must_end(self) -> bool:
        if any(_failed(rank) for rank in self._status["ranks"]):
            return True
        return self._deadline is not None and time.monotonic() >= self._deadline

    def _check_for_stop(self, spec: RunSpec) -> None:
        request = self._stop_request()
        if self._stop_asked.is_set() and request is None:
            request = {"at": 0.0, "grace": spec["grace"]}
        if request is not None and request != self._stop_seen:
            self._stop_seen = request
            self._begin_stop(request["grace"])

    def _stop_request(self) -> Optional[StopRequest]:
        value = read(self._folder.stop_request)
        with suppress(WireError):
            return None if value is None else decode(StopRequest, value, tolerant=True)
        return None

    def _begin_stop(self, grace: float) -> None:
        self._log("stop requested, %g s to checkpoint" % grace)
        try:
            with open(self._folder.stop_file, "wb", opener=opener):
                pass
        except OSError as error:
            self._log("the ranks could not be asked to stop: %s" % reason_of(error))
        # A second request may shorten the wait, never lengthen it.
        deadline = time.monotonic() + grace
        self._deadline = deadline if self._deadline is None else min(self._deadline, deadline)
        self._mark_stopped()
        self._write("stopping")

    # ---- ending

    def _mark_stopped(self) -> None:
        for rank in self._status["ranks"]:
            if not _over(rank):
                rank["stopped"] = True

    def _end_all(self) -> None:
        """End every rank with all that it has started, and collect the exit codes."""
        self._take_exits(0.0)  # what has ended until now was not stopped by us
        self._mark_stopped()
        self._end(self._running(), _TIMEOUT)
        deadline = time.monotonic() + _TIMEOUT
        while self._running() and time.monotonic() < deadline:
            self._take_exits(_POLL_INTERVAL)

    def _end(self, groups: List[Group], timeout: float) -> None:
        left = end_groups(groups, timeout).left
        if left:
            pids = [who.pid for who in left]
            what = message("supervisor.processes-left", "cannot end these processes: {pids}", pids=pids)
            self._status["error"] = to_data(what)
            self._log(what)

    def _outcome(self) -> RunStateName:
        ranks = self._status["ranks"]
        if any(_failed(rank) for rank in ranks):
            return "failed"
        return "stopped" if any(rank["stopped"] for rank in ranks) else "succeeded"

    def _write(self, state: Optional[RunStateName] = None) -> None:
        if state is not None and self._status["state"] != state:
            self._status["state"] = state
            self._log(state)
        self._written = time.monotonic()
        self._status["at"] = self._clock()
        try:
            write_status(self._folder, self._status)
        except OSError as error:
            # A full disk must not end the training; the next heartbeat tries again.
            self._log("the status could not be written: %s" % reason_of(error))

    def _log(self, text: str) -> None:
        with suppress(OSError):
            print(time.strftime("%Y-%m-%d %H:%M:%S"), text, flush=True)


def _phase(observed: Optional[Observed]) -> Tuple[Optional[str], bool]:
    return (None, False) if observed is None else (observed["phase"], observed["stuck"])


def _announced_node(folder: RunFolder) -> str:
    """Return the node's name from the status that ``start`` wrote, empty without one.

    A specification that can't be loaded must not cost the name.
    """
    node = (read(folder.status) or {}).get("node")
    return node if isinstance(node, str) else ""


def _over(rank: RankStatus) -> bool:
    return rank["exited_at"] is not None


def _failed(rank: RankStatus) -> bool:
    return _over(rank) and rank["exit_code"] != 0 and not rank["stopped"]
