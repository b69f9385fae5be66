"""What an exit status of ``dtui`` means."""

from __future__ import annotations

DONE = 0
#: A node or a rank failed.
FAILED = 1
#: The command line or a configuration file is wrong; nothing was done.
USAGE = 2
#: Ctrl-C. A run that was started goes on.
INTERRUPTED = 130


class UsageError(Exception):
    """The command can't be carried out as it was given; the text says what to change."""
