"""Runs a program for the console: streams its output, reports its silence, and ends its tree on cancel."""

from __future__ import annotations

import codecs
import os
import queue
import threading
import time
from contextlib import suppress
from typing import Callable, Deque, List, Mapping, NamedTuple, Optional, Sequence

from agent.paths import WINDOWS
from agent.processes import Group
from agent.server import Cancelled

#: Output is gathered for this long, so that many small writes become few frames.
_GATHER = 0.1
#: After this many seconds without output the console gets a report, and again after the same time.
QUIET = 10.0
_KEPT = 20


class Result(NamedTuple):
    """How a program ended: its exit ``status`` and the last lines that it printed."""

    status: int
    tail: List[str]


def run(
    argv: Sequence[str],
    *,
    cwd: str,
    env: Mapping[str, str],
    cancelled: threading.Event,
    output: Callable[[str], None],
    quiet: Callable[[float], None],
    timeout: Optional[float] = None,
    clock: Callable[[], float] = time.monotonic,
) -> Result:
    """Run ``argv`` to its end and return how that was.

    ``output`` gets the text as it arrives, ``quiet`` the seconds of a silence. When either raises, when
    ``cancelled`` is set (then raises Cancelled) or after ``timeout`` seconds (TimeoutError), the program
    and all that it started are ended. Raises OSError when it can't be started.
    """
    reading, writing = os.pipe()
    chunks: queue.Queue[bytes] = queue.Queue(64)
    with os.fdopen(writing, "wb", buffering=0) as end:
        try:
            group = Group.start(list(argv), cwd=cwd, env=env, output=end)
        except BaseException:
            os.close(reading)
            raise
    pump = threading.Thread(target=_pump, args=(reading, chunks), daemon=True)
    pump.start()
    tail: Deque[str] = Deque(maxlen=_KEPT)
    try:
        _relay(chunks, tail, cancelled, output, quiet, timeout, clock)
        return Result(group.wait(5.0), [line for line in tail if line.strip()])
    finally:
        group.end()
        while pump.is_alive():  # it may wait for room for output that is no longer read
            with suppress(queue.Empty):
                chunks.get(timeout=_GATHER)


def _pump(reading: int, chunks: queue.Queue[bytes]) -> None:
    with os.fdopen(reading, "rb", buffering=0) as pipe:
        while True:
            data = pipe.read(1 << 15)
            chunks.put(data)
            if not data:
                return


def _relay(
    chunks: queue.Queue[bytes],
    tail: Deque[str],
    cancelled: threading.Event,
    output: Callable[[str], None],
    quiet: Callable[[float], None],
    timeout: Optional[float],
    clock: Callable[[], float],
) -> None:
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    begun = last_output = last_report = clock()
    gathered = ""
    tail.append("")
    while True:
        try:
            data: Optional[bytes] = chunks.get(timeout=_GATHER)
        except queue.Empty:
            data = None
        if cancelled.is_set():
            raise Cancelled
        now = clock()
        if data is not None:
            last_output = last_report = now
            gathered += decoder.decode(data, final=not data).replace("\r\n", "\n")
        if gathered and (not data or len(gathered) > 1 << 14):
            output(gathered)
            first, *rest = gathered.split("\n")
            tail[-1] += first
            tail.extend(rest)
            gathered = ""
        if data == b"":
            return
        if now - last_report >= QUIET:
            last_report = now
            quiet(now - last_output)
        if timeout is not None and now - begun > timeout:
            raise TimeoutError(f"no end after {timeout:.0f} s")


def in_environment(folder: str, name: str) -> str:
    """Return the path of a program in a virtual environment."""
    return os.path.join(folder, "Scripts" if WINDOWS else "bin", name + (".exe" if WINDOWS else ""))
