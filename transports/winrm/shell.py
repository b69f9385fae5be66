"""A command in a WinRM shell, used by two threads: one only sends, the other only receives."""

from __future__ import annotations

import contextlib
import re
import threading
from collections.abc import Callable

from winrm.exceptions import InvalidCredentialsError, WinRMOperationTimeoutError
from winrm.protocol import Protocol

from agent.wire.message import message
from transports.command_problems import LONGEST_LINE, long_command
from transports.errors import TransportError
from transports.winrm.line import Line, Patience
from transports.winrm.problems import EnvelopeTooLarge, ShellGone, innermost_reason
from transports.winrm.refusal import refusal

UTF8 = 65001
#: Windows removes the shell after so many seconds without a request, should the console vanish.
_IDLE = 300
_SMALLEST_SEND = 1024
#: Seconds between an answer that brought nothing and the next request.
_EMPTY_PAUSE = 0.05
#: What Windows names shells and commands by: UUIDs. They go back with every request.
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
        patience: Patience,
        clock: Callable[[], float],
        send_size: int,
    ) -> None:
        if len(command_line) > LONGEST_LINE:
            raise long_command(len(command_line), where)
        self.where = where
        self.send_size = send_size
        self._leave = threading.Event()
        self._sender = Line(connect, where, patience, clock, self._leave)
        self._receiver = Line(connect, where, patience, clock, self._leave)
        # Not `again`: a Create or Command whose answer is lost would be done twice.
        try:
            self._id = self._named(
                self._sender.once(
                    lambda protocol: protocol.open_shell(codepage=UTF8, idle_timeout=f"PT{_IDLE}.000S")
                )
            )
            self._command = self._named(
                self._sender.once(
                    lambda protocol: protocol.run_command(self._id, command_line, console_mode_stdin=False)
                )
            )
        except (ShellGone, EnvelopeTooLarge, InvalidCredentialsError, WinRMOperationTimeoutError) as error:
            why = innermost_reason(error)
            problem = message("winrm.no-shell", "WinRM did not open a shell: {error}", error=why)
            raise TransportError(problem, where=where) from error

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
                (self._sender.again if retry else self._sender.once)(request)
            except WinRMOperationTimeoutError:
                # The pipe is full and nothing was taken; the process is busy.
                if self._leave.wait(_EMPTY_PAUSE):
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
        """Return stdout, stderr and, after the last of them, the exit status; waits until there is something.

        ``broken`` is called for each connection that broke: output may be lost. Without it, that raises.
        ``idle`` is called after each answer without output, and may raise.
        """

        def request(protocol: Protocol) -> tuple[bytes, bytes, int, bool]:
            return protocol.get_command_output_raw(self._id, self._command)

        while True:
            try:
                if broken is None:
                    out, err, code, done = self._receiver.once(request)
                else:
                    out, err, code, done = self._receiver.again(request, broken)
            except WinRMOperationTimeoutError:
                out, err, code, done = b"", b"", 0, False
            if out or err or done:
                return out, err, code if done else None
            idle()
            # An honest node answers when there is output or after the operation timeout. One that answers
            # at once, with nothing, must not keep us busy.
            self._leave.wait(_EMPTY_PAUSE)
            if self._leave.is_set():
                raise ShellGone(_CLOSED)

    def _named(self, name: str | None) -> str:
        if not _ID.fullmatch(name or ""):
            problem = message("winrm.identifier", "the node sent an invalid identifier of a shell or command")
            raise refusal(problem, self.where)
        return str(name)

    def leave(self) -> None:
        """Make no new attempt when a connection breaks, and ask for no more output."""
        self._leave.set()

    def close(self) -> None:
        """Delete the shell, which ends what still runs in it. From the sender's thread."""
        self.leave()
        with contextlib.suppress(
            TransportError, ShellGone, EnvelopeTooLarge, InvalidCredentialsError, WinRMOperationTimeoutError
        ):
            self._sender.once(lambda protocol: protocol.close_shell(self._id, close_session=False))
        self._sender.drop()
