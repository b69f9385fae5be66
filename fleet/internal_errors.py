"""Unexpected exceptions: the traceback is recorded, and the user reads one message."""

from __future__ import annotations

import logging
from collections.abc import Callable

from agent.wire.message import Message, message

#: Records an exception that was raised during a step, and returns the message about it.
Report = Callable[[Exception, str], Message]

_log = logging.getLogger("dtui")
# Without any handler, logging prints the traceback over the screen.
_log.addHandler(logging.NullHandler())
_SUMMARY = 200


def _log_error(error: Exception, during: str) -> Message:
    text = message(
        "internal-error.without-log",
        "internal error in {during}: {kind}: {error}",
        during=during,
        kind=type(error).__name__,
        error=str(error)[:_SUMMARY],
    )
    _log.error("%s", text, exc_info=error)
    return text


#: One per process, like the logging module's handlers: exceptions can occur anywhere.
_report: Report = _log_error


def report_with(report: Report | None) -> None:
    """Have ``report`` record all internal errors from now on; None restores the logging module."""
    global _report
    _report = report or _log_error


def internal_error(error: Exception, during: str) -> Message:
    """Record an unexpected exception with its traceback, and return a message about it."""
    return _report(error, during)
