"""Starts a node's ranks, keeps their status, and ends them: all of them when one has failed."""

from __future__ import annotations

import os
import queue
import threading
import time
from contextlib import suppress
from typing import Any, Callable, Dict, List, NamedTuple, Optional

from agent import paths
from agent.processes import Group, Identity
from agent.processes.group import end_groups
from agent.supervisor.folder import RunFolder, read, write
from agent.supervisor.spec import RankSpec, Spec, SpecError, command, parse

_LOOK_EVERY = 0.05
_HEARTBEAT = 2.0
#: Seconds between asking a process to end and ending it.
_PATIENCE = 2.0


class _Exit(NamedTuple):
    position: int
    code: int
    at: float


class Supervisor:
    """One run on this node, from the first process to the last."""

    def __init__(
        self,
        folder: RunFolder,
        spec: Dict[str, Any],
        me: Identity,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._folder = folder
        self._raw_spec = spec
        self._clock = clock
        self._groups: List[Group] = []
        self._exits: queue.SimpleQueue[_Exit] = queue.SimpleQueue()
        self._deadline: Optional[float] = None
        self._stop_asked = threading.Event()
        self._stop_seen: Optional[Dict[str, Any]] = None
        self._written = 0.0
        self._status: Dict[str, Any] = {
            "run": folder.run,
            "node": spec.get("node", ""),
            "state": "starting",
            "error": "",
            "supervisor": me.as_json(),
            "ranks": [],
        }

    def ask_to_stop(self) -> None:
        """End the run as if a stop had been requested; safe in a signal handler."""
        self._stop_asked.set()

    def run(self) -> int:
        """Supervise until the last rank has ended; return the process's exit status."""
        self._write()
        if read(self._folder.stop_request) is not None:
            self._write("stopped")  # nobody waits for us any more
            return 0
        try:
            spec = parse(self._raw_spec)
            self._start_all(spec)
        except (SpecError, OSError) as error:
            return self._give_up(str(error))
        self._write("running")
        while self._running():
            self._take_exits(_LOOK_EVERY)
            self._look_for_stop(spec)
            if self._running() and self._must_end():
                self._end_all()
            if time.monotonic() - self._written > _HEARTBEAT:
                self._write()
        self._write(self._outcome())
        return 0

    # ---- starting

    def _start_all(self, spec: Spec) -> None:
        # All commands are worked out first, so that a fault in one starts none.
        commands = [command(rank, spec, self._folder.root) for rank in spec.ranks]
        for rank, argv in zip(spec.ranks, commands):
            self._start(rank, argv, spec)

    def _start(self, rank: RankSpec, argv: List[str], spec: Spec) -> None:
        environment = {
            **os.environ,
            **rank.env,
            "DTUI_RUN_ID": self._folder.run,
            "DTUI_NODE": spec.node,
            "DTUI_STOP_FILE": paths.shown(self._folder.stop_file),
        }
        with open(self._folder.log(rank.rank), "ab") as output:
            try:
                group = Group.start(argv, cwd=paths.shown(self._folder.root), env=environment, output=output)
            except OSError as error:
                raise SpecError("rank %d: %s can't be started: %s" % (rank.rank, argv[0], error)) from None
        index = len(self._groups)
        self._groups.append(group)
        self._status["ranks"].append(
            {
                "rank": rank.rank,
                "local_rank": rank.local_rank,
                **group.identity.as_json(),
                "started_at": self._clock(),
                "exited_at": None,
                "exit_code": None,
                "stopped": False,
            }
        )
        # A waiting thread a rank gives the true time of each end, by which the earliest is told.
        threading.Thread(target=self._wait_for, args=(index,), daemon=True).start()
        self._say("rank %d started as %d" % (rank.rank, group.identity.pid))
        self._write()

    def _wait_for(self, index: int) -> None:
        code = self._groups[index].wait()
        self._exits.put(_Exit(index, code, self._clock()))

    def _give_up(self, reason: str) -> int:
        self._say(reason)
        self._status["error"] = reason
        self._end_all()
        self._write("failed")
        return 0

    # ---- watching

    def _running(self) -> List[Group]:
        ranks = self._status["ranks"]
        return [group for group, rank in zip(self._groups, ranks) if not _over(rank)]

    def _take_exits(self, wait: float) -> None:
        """Note who has ended, and end what they left behind."""
        ended = []
        try:
            ended.append(self._exits.get(timeout=wait))
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
            self._say("rank %d ended with %d" % (rank["rank"], one.code))
        self._write()
        self._end([self._groups[one.position] for one in ended], 0.0)

    def _must_end(self) -> bool:
        if any(_failed(rank) for rank in self._status["ranks"]):
            return True
        return self._deadline is not None and time.monotonic() >= self._deadline

    def _look_for_stop(self, spec: Spec) -> None:
        request = read(self._folder.stop_request)
        if self._stop_asked.is_set() and request is None:
            request = {"at": 0.0, "grace": spec.grace}
        if request is not None and request != self._stop_seen:
            self._stop_seen = request
            self._begin_stop(float(request.get("grace", spec.grace)))

    def _begin_stop(self, grace: float) -> None:
        self._say("stop requested, %g s to checkpoint" % grace)
        try:
            with open(self._folder.stop_file, "wb"):
                pass
        except OSError as error:
            self._say("the ranks could not be asked to stop: %s" % error)
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
        self._take_exits(0.0)  # what has ended by itself until now was not stopped by us
        self._mark_stopped()
        self._end(self._running(), _PATIENCE)
        deadline = time.monotonic() + _PATIENCE
        while self._running() and time.monotonic() < deadline:
            self._take_exits(_LOOK_EVERY)

    def _end(self, groups: List[Group], patience: float) -> None:
        left = end_groups(groups, patience).left
        if left:
            self._status["error"] = "processes %s could not be ended" % [who.pid for who in left]
            self._say(self._status["error"])

    def _outcome(self) -> str:
        ranks = self._status["ranks"]
        if any(_failed(rank) for rank in ranks):
            return "failed"
        return "stopped" if any(rank["stopped"] for rank in ranks) else "succeeded"

    def _write(self, state: Optional[str] = None) -> None:
        if state is not None and self._status["state"] != state:
            self._status["state"] = state
            self._say(state)
        self._written = time.monotonic()
        self._status["at"] = self._clock()
        try:
            write(self._folder.status, self._status)
        except OSError as error:
            # A full disk must not end the training; the next heartbeat tries again.
            self._say("the status could not be written: %s" % error)

    def _say(self, text: str) -> None:
        with suppress(OSError):
            print(time.strftime("%Y-%m-%d %H:%M:%S"), text, flush=True)


def _over(rank: Dict[str, Any]) -> bool:
    return rank["exited_at"] is not None


def _failed(rank: Dict[str, Any]) -> bool:
    return _over(rank) and rank["exit_code"] != 0 and not rank["stopped"]
