"""The program on the node that starts the process and forwards its streams."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from typing import IO, Any

from transports.winrm.reliable.frames import PIECE, STDERR, STDIN, STDOUT, FrameError
from transports.winrm.reliable.peer import Peer
from transports.winrm.reliable.snapshot import clipped

#: Seconds without a frame after which the relay considers the console lost and ends the process.
SILENCE = 90.0
#: Seconds that a process may take to exit after its stdin was closed.
GRACE = 5.0
#: Characters that CreateProcess accepts, with the final zero.
_LONGEST_COMMAND = 32766


class Relay:
    """The node's end of the channel."""

    def __init__(self, key: bytes, source: IO[bytes], target: int) -> None:
        self._peer = Peer(key, (STDOUT, STDERR), (STDIN,), time.monotonic)
        self._source = source
        self._target = target
        self._process: subprocess.Popen[bytes] | None = None
        self._closing = False

    def run(self, argv: list[str]) -> None:
        """Serve until the process's output is delivered, or the console is gone."""
        self._start(self._listen)
        try:
            if os.name == "nt" and len(subprocess.list2cmdline(argv)) > _LONGEST_COMMAND:
                raise ValueError("the command line is longer than Windows accepts")
            process = subprocess.Popen(
                argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, bufsize=0
            )
        except (OSError, ValueError) as error:
            with self._peer.changed:
                for out in self._peer.out.values():
                    out.ended = True
                self._peer.report(failed=clipped(str(error)))
        else:
            self._process = process
            with self._peer.changed:
                self._peer.report(pid=process.pid)
            self._start(self._pump, STDOUT, process.stdout)
            self._start(self._pump, STDERR, process.stderr)
            self._start(self._feed, process)
            self._start(self._wait, process)
        self._transmit()

    def _start(self, target: Callable[..., None], *args: Any) -> None:
        threading.Thread(target=target, args=args, daemon=True).start()

    def _listen(self) -> None:
        read = getattr(self._source, "read1", self._source.read)
        while True:
            try:
                data = read(PIECE)
            except (OSError, ValueError):
                data = b""
            with self._peer.changed:
                try:
                    self._peer.receive(data)
                except FrameError:
                    data = b""  # the rest cannot be trusted either
                if not data:
                    self._closing = True
                    self._peer.changed.notify_all()
                    return

    def _transmit(self) -> None:
        peer = self._peer
        while True:
            with peer.changed:
                while not self._finished() and peer.pending() > 0:
                    peer.changed.wait(peer.pending())
                if self._finished():
                    break
                batch = peer.gather(4 * PIECE)
            try:
                view = memoryview(batch)
                while view:
                    view = view[os.write(self._target, view[:PIECE]) :]
            except OSError:
                break
        self._end_process()

    def _finished(self) -> bool:
        silent = time.monotonic() - self._peer.last_frame_at > SILENCE
        return self._closing or silent or bool(self._peer.remote_state.get("bye"))

    def _end_process(self) -> None:
        process = self._process
        if process is None:
            return
        # _feed closes stdin once `_closing` is set.
        with self._peer.changed:
            self._closing = True
            self._peer.changed.notify_all()
        try:
            process.wait(GRACE)
        except subprocess.TimeoutExpired:
            process.kill()

    def _pump(self, stream: int, pipe: IO[bytes]) -> None:
        out = self._peer.out[stream]
        while True:
            try:
                data = pipe.read(PIECE)
            except (OSError, ValueError):
                data = b""
            with self._peer.changed:
                if out.ended:
                    return
                if not data:
                    out.ended = True
                    self._peer.send_soon()
                    return
                while out.free < len(data) and not self._closing:
                    self._peer.changed.wait()
                if self._closing:
                    break
                out.write(data)
                self._peer.changed.notify_all()
        # The console no longer reads; closing the pipe signals this to the process.
        pipe.close()

    def _feed(self, process: subprocess.Popen[bytes]) -> None:
        into, pipe = self._peer.into[STDIN], process.stdin
        assert pipe is not None
        while True:
            with self._peer.changed:
                while not (into.waiting or into.at_end or self._closing):
                    self._peer.changed.wait()
                data = self._peer.read(STDIN, PIECE)
            try:
                if not data:
                    pipe.close()
                    return
                view = memoryview(data)
                while view:
                    view = view[pipe.write(view) or 0 :]
            except (OSError, ValueError):
                with self._peer.changed:
                    self._peer.report(stdin_closed=True)
                return

    def _wait(self, process: subprocess.Popen[bytes]) -> None:
        code = process.wait()
        with self._peer.changed:
            self._peer.report(exit=code)
            # A child process that has inherited the pipes must not keep the channel open forever.
            deadline = time.monotonic() + GRACE
            while not all(out.ended for out in self._peer.out.values()):
                left = deadline - time.monotonic()
                if left <= 0:
                    break
                self._peer.changed.wait(left)
            for out in self._peer.out.values():
                out.ended = True
            self._peer.send_soon()


def serve(key: str, argv: list[str]) -> None:
    """Run the relay on this process's own stdin and stdout, and end."""
    Relay(bytes.fromhex(key), sys.stdin.buffer, 1).run(argv)
    sys.stdout.flush()
    os._exit(0)
