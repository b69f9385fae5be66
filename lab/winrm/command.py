"""One command of a shell: its process, and the output that waits for a Receive."""

from __future__ import annotations

import contextlib
import threading
from collections import deque
from typing import IO

from lab.winrm import faults
from lab.winrm.spawn import Process

#: Bytes of output that may wait; above it the process's own pipes fill and it has to wait.
_HELD = 1 << 20


class Command:
    """A process whose output is delivered once, in pieces, as Windows does."""

    def __init__(self, command_id: str, process: Process) -> None:
        self.id = command_id
        self._process = process
        self._changed = threading.Condition()
        self._output: deque[tuple[str, bytes]] = deque()
        self._held = 0
        self._open_pipes = 2
        self._ended = False
        self._input = threading.Lock()
        self._input_closed = False
        for name, pipe in (("stdout", process.stdout), ("stderr", process.stderr)):
            threading.Thread(target=self._pump, args=(name, pipe), daemon=True).start()

    def send(self, data: bytes, end: bool) -> None:
        """Write to stdin, waiting while the process does not read; raises a Fault when it is closed."""
        with self._input:
            if self._input_closed:
                raise faults.bad_state()
            try:
                view = memoryview(data)
                while view:
                    view = view[self._process.stdin.write(view) :]
            except OSError:
                end = True
            if end:
                self._input_closed = True
                with contextlib.suppress(OSError):
                    self._process.stdin.close()

    def receive(self, timeout: float, budget: int) -> tuple[list[tuple[str, bytes]], int | None]:
        """Return pieces of output (at most ``budget`` bytes) and, after the last one, the exit code.

        Waits for output or the end; raises the fault `timed_out` after a timeout.
        """
        with self._changed:
            if not self._changed.wait_for(lambda: self._output or self._done, timeout):
                raise faults.timed_out()
            pieces = []
            while self._output and budget > 0:
                name, data = self._output.popleft()
                if len(data) > budget:
                    self._output.appendleft((name, data[budget:]))
                    data = data[:budget]
                budget -= len(data)
                self._held -= len(data)
                pieces.append((name, data))
            self._changed.notify_all()
            if self._output or not self._done:
                return pieces, None
        return pieces, self._process.wait()

    def interrupt(self) -> None:
        """Deliver Ctrl-C."""
        if self._process.running():
            self._process.interrupt()

    def kill(self) -> None:
        """End the process tree and all waits for its output."""
        with self._changed:
            self._ended = True
            self._changed.notify_all()
        self._process.kill_tree()

    @property
    def _done(self) -> bool:
        return self._open_pipes == 0 or self._ended

    def _pump(self, name: str, pipe: IO[bytes]) -> None:
        while True:
            try:
                data = pipe.read(1 << 16)
            except (OSError, ValueError):
                data = b""
            with self._changed:
                if not data:
                    self._open_pipes -= 1
                    self._changed.notify_all()
                    break
                self._changed.wait_for(lambda: self._held < _HELD or self._ended)
                if not self._ended:
                    self._output.append((name, data))
                    self._held += len(data)
                self._changed.notify_all()
        with contextlib.suppress(OSError):
            pipe.close()
