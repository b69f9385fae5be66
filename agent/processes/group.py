"""A process that we start, kept together with everything it will start."""

from __future__ import annotations

import subprocess
import sys
from typing import IO, Any, Dict, List, Mapping, Optional

from agent.processes.identity import Identity
from agent.processes.system import identify
from agent.processes.tree import Ended, end

if sys.platform == "win32":
    from agent.processes.windows import Job, resume


class Group:
    """A started process: in its own session on POSIX, in its own job object on Windows.

    Windows ends the processes of a job with the process that holds it: with the supervisor, that is.
    """

    def __init__(self, process: subprocess.Popen[bytes], identity: Identity, job: Any) -> None:
        self.identity = identity
        self._process = process
        self._job = job

    @classmethod
    def start(cls, argv: List[str], *, cwd: str, env: Mapping[str, str], output: IO[bytes]) -> Group:
        """Start ``argv`` with no stdin and its stdout and stderr in ``output``; raises OSError."""
        options: Dict[str, Any] = {}
        job = None
        if sys.platform == "win32":
            # Suspended, so that it can't start anything before it is in the job.
            suspended = 0x4
            options["creationflags"] = (
                suspended | subprocess.CREATE_NO_WINDOW | subprocess.CREATE_NEW_PROCESS_GROUP
            )
            job = Job()
        else:
            options["start_new_session"] = True
        process = subprocess.Popen(
            argv, cwd=cwd, env=dict(env), stdin=subprocess.DEVNULL, stdout=output, stderr=output, **options
        )
        # Not reaped yet, so the pid is certainly its own.
        identity = identify(process.pid) or Identity(process.pid, "ended immediately")
        if sys.platform == "win32" and job is not None:
            job.assign(process)
            resume(process)
        return cls(process, identity, job)

    def wait(self, timeout: Optional[float] = None) -> int:
        """Wait for the first process to end and return its exit code (minus the signal, on POSIX)."""
        return self._process.wait(timeout)

    def end(self, timeout: float = 2.0) -> Ended:
        """End the remaining processes of the group and verify that they have ended."""
        return end_groups([self], timeout)


def end_groups(groups: List[Group], timeout: float = 2.0) -> Ended:
    """End several groups concurrently, within ``timeout`` seconds for all."""
    for group in groups:
        if group._job is not None:
            group._job.end()
    return end([group.identity for group in groups], timeout=timeout)
