"""The agent's end of the sampler process: requests with a timeout; a hanging process is restarted."""

from __future__ import annotations

import os
import queue
import subprocess
import sys
import threading
import time
from contextlib import suppress
from typing import Callable, List, Optional

from agent.wire.decode import decode
from agent.wire.frames import parse_json
from agent.wire.gpu import GpuAnswer
from agent.wire.message import EMPTY, Message, message
from agent.wire.reasons import system_reason

DRIVER_SILENT = message("gpu.driver-silent", "the GPU driver does not answer")
#: How long one question may take before the process counts as hung; opening NVML takes seconds on big nodes.
HANG_SECONDS = 20.0
_BACKOFF = (1.0, 2.0, 5.0, 15.0, 60.0)
_NO_WINDOW = 0x08000000


def sampler_command(archive: str) -> List[str]:
    """Return how the agent's archive is started as sampler; ``-S`` saves the search for site-packages."""
    return [sys.executable, "-I", "-S", "-B", archive, "sample"]


class GpuSampler:
    """Asks a sampler's process for GPUs within a timeout. Used by one thread."""

    def __init__(self, command: List[str], clock: Callable[[], float] = time.monotonic) -> None:
        self._command = command
        self._clock = clock
        self._process: Optional[subprocess.Popen[bytes]] = None
        self._lines: queue.Queue[Optional[bytes]] = queue.Queue()
        self._asked: Optional[float] = None
        self._failures = 0
        self._rest_until = 0.0
        #: Why there is no fresh answer; empty if there is one.
        self.trouble = EMPTY

    def ask(self, timeout: float) -> Optional[GpuAnswer]:
        """Return a fresh answer, or None if none arrived within ``timeout`` seconds (see ``trouble``)."""
        now = self._clock()
        if self._process is None and (now < self._rest_until or not self._start()):
            return None
        if self._asked is None:
            self._put_question()
            self._asked = now
        try:
            line = self._lines.get(timeout=timeout)
        except queue.Empty:
            self._still_waiting()
            return None
        if line is None:
            self._fail(message("gpu.sampler-ended", "the GPU sampler ended unexpectedly"))
            return None
        self._asked = None
        try:
            answer = decode(GpuAnswer, parse_json(line))
        except ValueError as error:
            self._fail(
                message(
                    "gpu.sampler-invalid",
                    "the GPU sampler's answer is not valid: {error}",
                    error=str(error),
                )
            )
            return None
        self._failures = 0
        self.trouble = EMPTY
        return answer

    def stop(self) -> None:
        """End the process without waiting for a driver that hangs."""
        process, self._process = self._process, None
        if process is None:
            return
        process.kill()
        for stream in (process.stdin, process.stdout):
            if stream is not None:
                with suppress(OSError):
                    stream.close()
        with suppress(subprocess.TimeoutExpired):  # blocked in the driver: it ends when the driver returns
            process.wait(0.5)

    def _start(self) -> bool:
        self._lines = queue.Queue()
        self._asked = None
        try:
            self._process = subprocess.Popen(
                self._command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                creationflags=_NO_WINDOW if os.name == "nt" else 0,
            )
        except OSError as error:
            self._fail(
                message(
                    "gpu.sampler-not-started",
                    "the GPU sampler can't be started: {error}",
                    error=system_reason(error),
                )
            )
            return False
        threading.Thread(target=_pump, args=(self._process, self._lines), daemon=True).start()
        return True

    def _put_question(self) -> None:
        assert self._process is not None
        assert self._process.stdin is not None
        with suppress(OSError):  # it has ended; the end of its output shows that
            self._process.stdin.write(b"\n")
            self._process.stdin.flush()

    def _still_waiting(self) -> None:
        waited = self._clock() - (self._asked or 0.0)
        if waited >= HANG_SECONDS:
            self._fail(
                message("gpu.sampler-restarted", "the GPU driver does not answer; its sampler is restarted")
            )
        else:
            self.trouble = DRIVER_SILENT

    def _fail(self, reason: Message) -> None:
        self.stop()
        self.trouble = reason
        self._rest_until = self._clock() + _BACKOFF[min(self._failures, len(_BACKOFF) - 1)]
        self._failures += 1


def _pump(process: subprocess.Popen[bytes], lines: queue.Queue[Optional[bytes]]) -> None:
    """Queue the answers; None marks their end."""
    assert process.stdout is not None
    with suppress(OSError, ValueError):
        for line in process.stdout:
            lines.put(line)
    lines.put(None)
