"""A command in a WinRM shell, used by two threads: one sends, the other receives."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable

from winrm.exceptions import InvalidCredentialsError, WinRMOperationTimeoutError
from winrm.protocol import Protocol

from agent.wire.message import message
from transports.command_problems import LONGEST_LINE, long_command
from transports.errors import ServiceRefused, TransportError, Unreachable
from transports.winrm.connection import ReconnectingConnection, Timeouts
from transports.winrm.faults import Request
from transports.winrm.problems import EnvelopeTooLarge, LoginLost, ShellGone, login_lost
from transports.winrm.violation import protocol_violation

UTF8 = 65001
#: Seconds without a request after which Windows removes the shell, in case the console was killed.
_IDLE = 300
#: Attempts to delete a shell; a deletion may be carried out twice.
_DELETIONS = 3
_SMALLEST_SEND = 1024
#: Seconds between an answer without output and the next request.
_EMPTY_PAUSE = 0.05
#: Identifiers of shells and commands, UUIDs on Windows. Every request contains them.
_ID = re.compile(r"[0-9A-Za-z-]{1,64}")
_CLOSED = message("winrm.shell-closed", "the shell was closed")


class Shell:
    """Opens a shell, starts ``command_line`` in it; blocking, raises TransportError."""

    def __init__(
        self,
        connect: Callable[[], Protocol],
        command_line: str,
        *,
        where: str,
        timeouts: Timeouts,
        clock: Callable[[], float],
        send_size: int,
    ) -> None:
        if len(command_line) > LONGEST_LINE:
            raise long_command(len(command_line), where)
        self.where = where
        self.send_size = send_size
        self._patience = timeouts.operation
        self._pause = timeouts.pause
        self._closing = threading.Event()
        self._sender = ReconnectingConnection(connect, where, timeouts, clock, self._closing)
        self._receiver = ReconnectingConnection(connect, where, timeouts, clock, self._closing)
        self._id = self._opened(
            "create", lambda protocol: protocol.open_shell(codepage=UTF8, idle_timeout=f"PT{_IDLE}.000S")
        )
        try:
            self._command = self._opened(
                "command",
                lambda protocol: protocol.run_command(self._id, command_line, console_mode_stdin=False),
            )
        except LoginLost:
            # Windows locks an account after a few failures, so there is no further login.
            self._sender.close()
            raise
        except Unreachable:
            # The node is slow or gone, and the deletion would delay the error as long again.
            threading.Thread(target=self.close, name="winrm-delete", daemon=True).start()
            raise
        except BaseException:
            self.close()
            raise

    def _opened(self, at: Request, request: Callable[[Protocol], str]) -> str:
        """Return the identifier of a new shell or command.

        Without retries: a Create or Command whose answer is lost would be carried out twice.
        """
        try:
            return self._checked_id(self._sender.send(request, at))
        except ShellGone as error:
            problem = message("winrm.no-shell", "WinRM did not open a shell: {error}", error=error.what)
            raise ServiceRefused(problem, where=self.where, remedy=error.remedy, transient=True) from error
        except EnvelopeTooLarge as error:
            problem = message("winrm.no-shell", "WinRM did not open a shell: {error}", error=error.what)
            remedy = message(
                "winrm.small-envelope.remedy",
                "raise the limit in the node's PowerShell: Set-Item WSMan:\\localhost\\MaxEnvelopeSizekb 500",
            )
            raise ServiceRefused(problem, where=self.where, remedy=remedy, transient=False) from error
        except WinRMOperationTimeoutError as error:
            problem = message(
                "winrm.shell-late",
                "WinRM did not open a shell within {seconds:.0f} s",
                seconds=self._patience,
            )
            remedy = message(
                "winrm.start-late.remedy",
                "check that the node is not overloaded and its WinRM service runs (Get-Service WinRM)",
            )
            raise ServiceRefused(problem, where=self.where, remedy=remedy, transient=True) from error
        except InvalidCredentialsError as error:
            raise login_lost(self.where) from error

    def send(self, data: bytes, *, end: bool = False, retry: bool = True) -> None:
        """Write to the command's stdin; after a broken connection ``data`` may arrive twice (``retry``)
        or not at all (without). Raises ShellGone, TransportError.
        """
        start = 0
        while start < len(data) or end:
            piece = data[start : start + self.send_size]
            last = end and start + len(piece) == len(data)

            def request(protocol: Protocol, piece: bytes = piece, last: bool = last) -> None:
                protocol.send_command_input(self._id, self._command, piece, end=last)

            try:
                (self._sender.send_with_retries if retry else self._sender.send)(request, "send")
            except WinRMOperationTimeoutError:
                # The pipe is full and nothing was written, because the process is busy.
                if self._closing.wait(_EMPTY_PAUSE):
                    raise ShellGone(_CLOSED) from None
                continue
            except EnvelopeTooLarge:
                if self.send_size <= _SMALLEST_SEND:
                    problem = message("winrm.no-message", "the node rejects every WinRM message")
                    raise TransportError(problem, where=self.where) from None
                self.send_size //= 2
                continue
            start += len(piece)
            if last:
                return

    def receive(
        self, broken: Callable[[], None] | None = None, idle: Callable[[], None] = lambda: None
    ) -> tuple[bytes, bytes, int | None]:
        """Wait for output; return stdout, stderr and, with the last output, the exit status.

        ``broken`` is called after each broken connection, whose output may be lost; without it, a broken
        connection raises. ``idle`` is called after each answer without output, and may raise.
        """

        def request(protocol: Protocol) -> tuple[bytes, bytes, int, bool]:
            return protocol.get_command_output_raw(self._id, self._command)

        while True:
            try:
                if broken is None:
                    out, err, code, done = self._receiver.send(request, "receive")
                else:
                    out, err, code, done = self._receiver.send_with_retries(request, "receive", broken)
            except WinRMOperationTimeoutError:
                out, err, code, done = b"", b"", 0, False
            if out or err or done:
                return out, err, code if done else None
            idle()
            # A node answers when there is output or after the operation timeout. If it answers at once
            # without output, the pause limits the load.
            self._closing.wait(_EMPTY_PAUSE)
            if self._closing.is_set():
                raise ShellGone(_CLOSED)

    def _checked_id(self, name: str | None) -> str:
        if not _ID.fullmatch(name or ""):
            problem = message("winrm.identifier", "the node sent an invalid identifier of a shell or command")
            raise protocol_violation(problem, self.where)
        return str(name)

    def stop(self) -> None:
        """Stop retrying broken connections and receiving output."""
        self._closing.set()

    def close(self) -> None:
        """Delete the shell, which ends its processes. Call it from the sender's thread.

        A node that cannot be reached removes the shell after `_IDLE` seconds.
        """
        self.stop()
        for attempt in range(_DELETIONS):
            try:
                self._sender.send(
                    lambda protocol: protocol.close_shell(self._id, close_session=False), "delete"
                )
            except WinRMOperationTimeoutError:
                continue
            except TransportError as error:
                if not error.transient or isinstance(error, Unreachable):
                    break
                time.sleep(self._pause * 2**attempt)
                continue
            except (ShellGone, EnvelopeTooLarge, InvalidCredentialsError):
                break
            break
        self._sender.close()
