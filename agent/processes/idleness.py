"""Whether a process with all that it has started is doing anything."""

from __future__ import annotations

import time
from typing import Callable, Dict, List, Optional

from agent.processes.identity import Identity, Usage
from agent.processes.system import usage
from agent.processes.tree import members

#: A process that waits still uses a little: timers, the threads of loggers, the observer's report.
_CPU_SHARE = 0.02
_BYTES_PER_SECOND = 64 * 1024.0


class Idleness:
    """Follows the usage of one process tree, from the first call of :meth:`seconds` on."""

    def __init__(
        self,
        root: Identity,
        *,
        clock: Callable[[], float] = time.monotonic,
        pids: Optional[Callable[[], List[int]]] = None,
        used: Callable[[int], Optional[Usage]] = usage,
    ) -> None:
        self._clock = clock
        self._pids = pids or (lambda: [process.identity.pid for process in members(root)])
        self._used = used
        self._before: Dict[int, Usage] = {}
        self._checked: Optional[float] = None
        self._since = 0.0

    def seconds(self) -> Optional[float]:
        """Return how long the tree has been idle; None where the system does not report usage.

        A tree that was not checked before, or whose processes have changed, counts as active until now.
        """
        now = self._clock()
        found = {pid: one for pid in self._pids() for one in [self._used(pid)] if one is not None}
        if not found:
            self._checked = None
            return None
        before, checked = self._before, self._checked
        self._before, self._checked = found, now
        if checked is None or now <= checked or found.keys() != before.keys():
            self._since = now
            return 0.0
        cpu = sum(one.cpu - before[pid].cpu for pid, one in found.items())
        transferred = sum(one.transferred - before[pid].transferred for pid, one in found.items())
        elapsed = now - checked
        if cpu > _CPU_SHARE * elapsed or transferred > _BYTES_PER_SECOND * elapsed:
            self._since = now
        return now - self._since

    def forget(self) -> None:
        """Start again at the next call, since the tree is known to be active."""
        self._checked = None
