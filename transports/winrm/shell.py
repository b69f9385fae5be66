"""A command in a WinRM shell, used by two threads: one only sends, the other only receives."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable

from winrm.exceptions import InvalidCredentialsError, WinRMOperationTimeoutError
from winrm.protocol import Protocol

from transports.errors import CommandNotStarted, TransportError
from transports.winrm.line import Line, Patience
from transports.winrm.problems import EnvelopeTooLarge, ShellGone

#: cmd.exe takes no longer line; a longer one may even do nothing and report success.
LONGEST_COMMAND = 8191
UTF8 = 65001
#: Windows removes the shell after so many seconds without a request, should the console vanish.
_IDLE = 300
_SMALLEST_SEND = 1024


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
        if len(command_line) > LONGEST_COMMAND:
            raise CommandNotStarted(
                f"the command line has {len(command_line)} characters, and cmd.exe takes {LONGEST_COMMAND}",
                where=where,
                remedy="send what is long through stdin",
            )
        self.where = where
        self.send_size = send_size
        self._leave = threading.Event()
        self._sender = Line(connect, where, patience, clock, self._leave)
        self._receiver = Line(connect, where, patience, clock, self._leave)
        # Not `again`: a Create or Command whose answer is lost would be done twice.
        try:
            self._id = self._sender.once(
                lambda protocol: protocol.open_shell(codepage=UTF8, idle_timeout=f"PT{_IDLE}.000S")
            )
            self._command = self._sender.once(
                lambda protocol: protocol.run_command(self._id, command_line, console_mode_stdin=False)
            )
        except (ShellGone, EnvelopeTooLarge, InvalidCredentialsError, WinRMOperationTimeoutError) as error:
            raise TransportError(f"WinRM opened no shell ({error})", where=where) from error

    def send(self, data: bytes, *, end: bool = False, mend: bool = True) -> None:
        """Write to the command's stdin; after a broken connection ``data`` may arrive twice (``mend``)
        or not at all (without). Raises ShellGone, TransportError.
        """
        start = 0
        while start < len(data) or end:
            piece = data[start : start + self.send_size]
            last = end and start + len(piece) == len(data)

            def request(protocol: Protocol, piece: bytes = piece, last: bool = last) -> None:
                protocol.send_command_input(self._id, self._command, piece, end=last)

            try:
                (self._sender.again if mend else self._sender.once)(request)
            except WinRMOperationTimeoutError:
                # The pipe is full and nothing was taken; the process is busy.
                continue
            except EnvelopeTooLarge:
                if self.send_size <= _SMALLEST_SEND:
                    raise TransportError("the node takes no WinRM message at all", where=self.where) from None
                self.send_size //= 2
                continue
            start += len(piece)
            if last:
                return

    def receive(self, broken: Callable[[], None] | None = None) -> tuple[bytes, bytes, int | None]:
        """Return stdout, stderr and, after the last of them, the exit status; waits until there is something.

        ``broken`` is told of each connection that broke: output may be lost. Without it, that raises.
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
                continue  # nothing yet
            if out or err or done:
                return out, err, code if done else None

    def close(self) -> None:
        """Delete the shell, which ends what still runs in it. From the sender's thread."""
        self._leave.set()
        with contextlib.suppress(
            TransportError, ShellGone, EnvelopeTooLarge, InvalidCredentialsError, WinRMOperationTimeoutError
        ):
            self._sender.once(lambda protocol: protocol.close_shell(self._id, close_session=False))
        self._sender.drop()
