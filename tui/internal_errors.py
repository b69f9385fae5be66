"""Faults of dtui itself: the traceback goes to a log file, and the user reads one message that names it.

The log never holds local variables or command-line arguments: both may be secrets.
"""

from __future__ import annotations

import logging
import os
import sys
import threading
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from types import TracebackType

from agent.wire.message import Message, message
from fleet.internal_errors import report_with
from fleet.terminal import block, one_line
from tui.i18n import Texts

NAME = "internal-errors.log"
#: The exit status of dtui after an internal error: BSD's EX_SOFTWARE.
EXIT_STATUS = 70
#: Bytes of the log before it is rotated (one older file is kept), and characters of one entry.
LIMIT = 1 << 20
_ENTRY = 64_000
_SUMMARY = 300


class InternalErrors:
    """Writes tracebacks to a log file that only the user can read."""

    def __init__(self, project: Path) -> None:
        """The log is in the project's ``.dtui``, or in the user's state folder where that does not exist."""
        self.project = project
        self._writing = threading.Lock()

    @property
    def path(self) -> Path:
        """The log file."""
        home = self.project.absolute() / ".dtui"
        return (home if home.is_dir() else state_folder()) / NAME

    def report(self, error: BaseException, during: str) -> Message:
        """Record the error and return the message for the user; never raises."""
        what = _summary(error)
        try:
            path = self._append(_heading(during) + _traceback_of(error))
        except OSError as why:
            reason = why.strerror or type(why).__name__
            return message(
                "internal-error.not-logged",
                "internal error in {during}: {what}. The log file cannot be written: {why}",
                during=during,
                what=what,
                why=reason,
            )
        return message(
            "internal-error.logged",
            "internal error in {during}: {what}. Report it with the traceback in {path}",
            during=during,
            what=what,
            path=str(path),
        )

    def record(self, text: str, during: str) -> None:
        """Record a text that a library logged; never raises."""
        try:
            self._append(_heading(during) + block(text, _ENTRY) + "\n")
        except OSError:
            return

    def _append(self, entry: str) -> Path:
        path = self.path
        data = entry.encode("utf-8", "replace")
        with self._writing:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            if path.exists() and path.stat().st_size + len(data) > LIMIT:
                path.replace(path.with_name(f"{NAME}.1"))
            # A link in its place would send the traceback to another file, and a FIFO would block.
            flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT
            flags |= getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
            descriptor = os.open(path, flags, 0o600)
            try:
                if hasattr(os, "fchmod"):
                    os.fchmod(descriptor, 0o600)
                os.write(descriptor, data)
            finally:
                os.close(descriptor)
        return path


def state_folder() -> Path:
    """Return the user's folder for logs of dtui: XDG_STATE_HOME, on Windows LOCALAPPDATA."""
    if sys.platform == "win32":
        base = os.environ.get("LOCALAPPDATA")
        return (Path(base) if base else Path.home() / "AppData" / "Local") / "dtui"
    base = os.environ.get("XDG_STATE_HOME")
    return (Path(base) if base else Path.home() / ".local" / "state") / "dtui"


def install(errors: InternalErrors, show: Callable[[str], object], texts: Texts | None = None) -> None:
    """Send to the log what Python would print as a traceback, and fleet's internal errors.

    ``show`` writes the sentence that names the log for the user, in the language of ``texts``.
    """

    def report(found: Message) -> None:
        show(f"dtui: {texts.translate(found) if texts is not None else found}")

    def in_thread(found: threading.ExceptHookArgs) -> None:
        if found.exc_value is not None:
            name = found.thread.name if found.thread is not None else "?"
            during = message("internal-error.thread", "thread {name}", name=name)
            report(errors.report(found.exc_value, during))

    def at_top(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        if issubclass(kind, KeyboardInterrupt):
            return
        report(errors.report(error.with_traceback(trace), message("internal-error.start", "start-up")))

    def in_finalizer(found: sys.UnraisableHookArgs) -> None:
        if found.exc_value is not None:
            errors.report(found.exc_value, "finalizer")

    threading.excepthook = in_thread
    sys.excepthook = at_top
    sys.unraisablehook = in_finalizer
    report_with(errors.report)
    logging.captureWarnings(capture=True)
    handler = _LogHandler(errors)
    root = logging.getLogger()
    root.handlers = [one for one in root.handlers if not isinstance(one, _LogHandler)]
    root.addHandler(handler)


class _LogHandler(logging.Handler):
    """Without a handler, logging prints warnings and asyncio's tracebacks to stderr."""

    def __init__(self, errors: InternalErrors) -> None:
        super().__init__(logging.WARNING)
        self._errors = errors

    def emit(self, record: logging.LogRecord) -> None:
        """Record one message with its traceback."""
        try:
            text = self.format(record)
        except Exception as error:  # noqa: BLE001  a message that can't be formatted must not end the program
            text = f"a log message can't be formatted: {type(error).__name__}"
        self._errors.record(text, record.name)


def _heading(during: str) -> str:
    moment = time.strftime("%Y-%m-%d %H:%M:%S%z")
    return f"==== {moment} process {os.getpid()}, Python {sys.version.split()[0]}, {one_line(during)}\n"


def _summary(error: BaseException) -> str:
    try:
        text = str(error)
    except Exception:  # noqa: BLE001  the error's own __str__ is faulty
        text = ""
    name = type(error).__name__
    return one_line(f"{name}: {text}" if text else name, _SUMMARY)


def _traceback_of(error: BaseException) -> str:
    try:
        found = traceback.TracebackException.from_exception(error, capture_locals=False, compact=True)
        text = "".join(found.format())
    except Exception as other:  # noqa: BLE001  __str__ or __repr__ of the error is faulty
        frames = "".join(traceback.format_tb(error.__traceback__))
        text = f"{frames}{type(error).__name__}, whose text can't be read: {type(other).__name__}"
    return block(text, _ENTRY) + "\n"
