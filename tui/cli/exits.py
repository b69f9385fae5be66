"""What an exit status of ``dtui`` means."""

from __future__ import annotations

from agent.wire.message import EMPTY, Message
from tui.internal_errors import EXIT_STATUS

DONE = 0
#: A node or a rank failed.
FAILED = 1
#: The command line or a configuration file is wrong; nothing was done.
USAGE = 2
#: dtui itself has a fault; the message names the log file with the traceback.
INTERNAL = EXIT_STATUS
#: Ctrl-C. A run that was started keeps running.
INTERRUPTED = 130


class UsageError(Exception):
    """The command can't be executed as given: ``what`` is wrong, and the ``remedy``."""

    def __init__(self, what: Message, remedy: Message = EMPTY) -> None:
        super().__init__(what)
        self.what = what
        self.remedy = remedy
