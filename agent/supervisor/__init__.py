"""The process that supervises a run on a node, with or without a console."""

from __future__ import annotations

import os
import signal
import sys
from typing import Any

from agent.private import FILE_MODE, opener
from agent.supervisor.folder import RunFolder, write


def main(path: str) -> int:
    """Supervise the run whose folder is ``path``; the exit status is 0 when there was something to do.

    Called in a separate process, see agent.detach. Whatever it raises is also in ``supervisor.log``.
    """
    from agent.processes import identify
    from agent.supervisor.descendants import adopt_orphans
    from agent.supervisor.supervise import Supervisor

    folder = RunFolder.at(path)
    me = identify(os.getpid())
    if me is None or not _claim(folder.claim, me.as_json()):
        return 1
    _own_output(folder.supervisor_log)
    adopt_orphans()
    supervisor = Supervisor(folder, me)
    if sys.platform != "win32":
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, lambda *_: supervisor.ask_to_stop())  # the machine shuts down
    return supervisor.run()


def _claim(path: str, me: Any) -> bool:
    """Return whether we are the first supervisor of the run: detaching may have started two."""
    try:
        handle = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, FILE_MODE)
    except FileExistsError:
        return False
    os.close(handle)
    write(path, me)
    return True


def _own_output(path: str) -> None:
    """Replace the stdin, stdout and stderr that we were started with."""
    while True:  # started without any, 0 to 2 must not become something else
        null = os.open(os.devnull, os.O_RDWR)
        if null > 2:
            break
    log = opener(path, os.O_CREAT | os.O_APPEND | os.O_WRONLY)
    for source, target in ((null, 0), (log, 1), (log, 2)):
        os.dup2(source, target)
    os.close(log)
    os.close(null)
    sys.stdout = sys.stderr = open(2, "w", encoding="utf-8", buffering=1, closefd=False)  # noqa: SIM115
