"""The console's end of a reliable channel: two threads connect a shell and a `Peer`."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence

from winrm.exceptions import InvalidCredentialsError

from agent.wire.message import message
from transports.base import STDERR_KEPT
from transports.errors import ChannelLost, ProtocolViolation, TransportError
from transports.winrm.problems import ShellGone, as_transport_error
from transports.winrm.reliable.frames import PIECE, STDERR, STDIN, STDOUT, FrameError
from transports.winrm.reliable.peer import SOON, Peer
from transports.winrm.reliable.relay import GRACE, SILENCE
from transports.winrm.reliable.source import start_line
from transports.winrm.shell import Shell

#: Seconds to receive the final output of a command that no longer accepts input.
_FINAL_OUTPUT = 2.0


class Session:
    """A process on the node behind a relay. Hold ``peer.changed`` while you read its state.

    Both threads call ``notify`` after each change.
    """

    def __init__(self, shell: Shell, key: bytes, argv: Sequence[str], notify: Callable[[], None]) -> None:
        self.peer = Peer(key, (STDIN,), (STDOUT, STDERR), time.monotonic)
        #: Output outside of frames, such as the error of an interpreter that failed.
        self.unframed = bytearray()
        self.errors = bytearray()
        #: Exit status of the relay, not of the process, once it has ended.
        self.status: int | None = None
        self.failure: TransportError | None = None
        self._shell = shell
        self._notify = notify
        self._close_by: float | None = None
        self._ended = threading.Event()
        self.closed = threading.Event()
        first = start_line(key, argv)
        threading.Thread(target=self._send, args=(first,), name="winrm-send", daemon=True).start()
        threading.Thread(target=self._receive, name="winrm-receive", daemon=True).start()

    @property
    def started(self) -> bool:
        """Whether the process has been started."""
        return "pid" in self.peer.remote_state

    @property
    def ended(self) -> bool:
        """Whether the node sends nothing more."""
        return self.status is not None or self.failure is not None

    def abandon(self) -> None:
        """Stop both threads when their requests end; call it after `close` timed out."""
        self._shell.stop()

    def close(self) -> None:
        """Close the process's input, wait up to `GRACE`, delete the shell; then `closed` is set."""
        with self.peer.changed:
            if self._close_by is None:
                self._close_by = time.monotonic() + GRACE
                self.peer.changed.notify_all()

    def _send(self, first: bytes) -> None:
        peer = self.peer
        try:
            # Not retried: a repeated start line would be read as input.
            self._shell.send(first, retry=False)
            while not self._ended.is_set():
                with peer.changed:
                    while peer.pending() > 0 and not self._ended.is_set() and not self._may_close():
                        peer.changed.wait(peer.pending() if self._close_by is None else SOON)
                    closing = self._may_close()
                    if closing:
                        peer.report(bye=True)
                    batch = peer.gather(self._shell.send_size)
                self._shell.send(batch)
                self._notify()
                if closing:
                    self._ended.wait(GRACE + 1)
                    break
        except ShellGone as error:
            # In most cases the command has just ended, and its final output is not received yet.
            if not self._ended.wait(_FINAL_OUTPUT):
                self._fail(error)
        except TransportError as error:
            self._fail(error)
        except Exception as error:  # noqa: BLE001 - a thread's fault must reach the channel
            what = message("winrm.send-failed", "sending failed ({error})", error=repr(error))
            self._fail(ChannelLost(what, where=self._shell.where))
        finally:
            try:
                self._shell.close()
            finally:
                self.closed.set()
                self._notify()

    def _receive(self) -> None:
        peer = self.peer
        try:
            while True:
                out, err, status = self._shell.receive(self._broken, self._check_silence)
                with peer.changed:
                    if not self.started:
                        self.unframed += out[: STDERR_KEPT - len(self.unframed)]
                    peer.receive(out)
                    self._append_errors(err)
                    while piece := peer.read(STDERR, PIECE):
                        self._append_errors(piece)
                    if self._complete() and self._close_by is None:
                        self._close_by = time.monotonic()
                    if status is not None:
                        self._end(status)
                self._notify()
                if status is not None:
                    return
        except (ShellGone, TransportError, InvalidCredentialsError, FrameError) as error:
            self._fail(error)
        except Exception as error:  # noqa: BLE001 - a thread's fault must reach the channel
            what = message("winrm.receive-failed", "receiving failed ({error})", error=repr(error))
            self._fail(ChannelLost(what, where=self._shell.where))

    def _may_close(self) -> bool:
        if self._close_by is None:
            return False
        out = self.peer.out[STDIN]
        return (
            out.confirmed == out.written
            or "exit" in self.peer.remote_state
            or time.monotonic() >= self._close_by
        )

    def _check_silence(self) -> None:
        """Raise ChannelLost if the relay, which sends a frame every few seconds, was silent for too long."""
        if time.monotonic() - self.peer.last_frame_at > SILENCE:
            raise ChannelLost(
                message(
                    "winrm.relay-silent",
                    "nothing came from the relay on the node for {seconds:.0f} s",
                    seconds=SILENCE,
                ),
                where=self._shell.where,
                remedy=message(
                    "winrm.relay-silent.remedy", "check that the node is not overloaded, and connect again"
                ),
            )

    def _broken(self) -> None:
        with self.peer.changed:
            self.peer.request_resend()

    def _complete(self) -> bool:
        """Whether the process has ended and all its output was received."""
        return "exit" in self.peer.remote_state and all(
            into.length == into.have for into in self.peer.into.values()
        )

    def _end(self, status: int) -> None:
        self.status = status
        if self.started and self._close_by is None and self.failure is None:
            self.failure = ChannelLost(
                message(
                    "winrm.command-killed",
                    "another process ended the command on the node (status {status})",
                    status=status,
                ),
                where=self._shell.where,
                remedy=message(
                    "winrm.command-killed.remedy",
                    "check whether the node or its WinRM service was restarted",
                ),
            )
        self._ended.set()
        self.peer.changed.notify_all()

    def _fail(self, error: Exception) -> None:
        with self.peer.changed:
            if self._complete():
                self.status = self.status or 0
            elif self.failure is None:
                self.failure = self._as_lost(error)
            self._ended.set()
            self.peer.changed.notify_all()
        self._notify()

    def _as_lost(self, error: Exception) -> TransportError:
        if isinstance(error, TransportError):
            return error
        if isinstance(error, FrameError):
            return ProtocolViolation(
                message(
                    "winrm.relay-protocol",
                    "the relay on the node violated its protocol: {error}",
                    error=str(error),
                ),
                where=self._shell.where,
                remedy=message(
                    "winrm.relay-protocol.remedy",
                    "check that the interpreter on the node is a genuine Python that was not modified",
                ),
            )
        return as_transport_error(error, self._shell.where)

    def _append_errors(self, data: bytes) -> None:
        self.errors += data
        del self.errors[:-STDERR_KEPT]
