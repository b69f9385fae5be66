"""The output of a rank: text lines on stdout and in a log file, and metrics as JSON lines."""

from __future__ import annotations

import contextlib
import json
import math
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

#: Seconds between heartbeats.
HEARTBEAT_INTERVAL = 10.0
PHASES = ("starting", "importing", "joining", "joined", "training", "saving", "sampling", "done")


class MetricsLogger:
    """Writes ``logs/train_<run>_rank<r>.log`` and ``logs/metrics_<run>_rank<r>.jsonl`` of one rank.

    Every metrics record has ``kind``, ``t`` (Unix time) and ``rank``. The logger is thread-safe.
    """

    def __init__(self, folder: Path, run: str, rank: int, *, clock: Callable[[], float] = time.time) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.step = 0
        self._rank = rank
        self._clock = clock
        self._phase = ""
        self._lock = threading.Lock()
        self._closed = threading.Event()
        log, metrics = folder / f"train_{run}_rank{rank}.log", folder / f"metrics_{run}_rank{rank}.jsonl"
        self._log: IO[str] = log.open("a", encoding="utf-8", newline="\n")
        self._metrics: IO[str] = metrics.open("a", encoding="utf-8", newline="\n")
        self._heartbeat = threading.Thread(target=self._send_heartbeats, name="heartbeat", daemon=True)
        self._heartbeat.start()

    def info(self, text: str) -> None:
        """Print ``text`` and append it to the log file with a timestamp per line."""
        with self._lock:
            # stdout may be closed, or its code page may lack a character; the log file still gets the line.
            with contextlib.suppress(OSError, UnicodeEncodeError):
                # One write: ranks of a node may share the console.
                sys.stdout.write(text + "\n")
                sys.stdout.flush()
            timestamp = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(self._clock()))
            self._log.write("".join(f"{timestamp} {line}\n" for line in text.split("\n")))
            self._log.flush()

    def record(self, kind: str, **fields: Any) -> None:
        """Append a metrics record; NaN and infinity become null."""
        head = {"kind": kind, "t": round(self._clock(), 3), "rank": self._rank}
        body = {key: _finite_or_none(value) for key, value in fields.items()}
        line = json.dumps({**head, **body}, ensure_ascii=False)
        with self._lock:
            self._metrics.write(line + "\n")
            self._metrics.flush()

    def enter_phase(self, name: str, **fields: Any) -> None:
        """Record that the rank enters one of PHASES."""
        self._phase = name
        self.record("phase", phase=name, step=self.step, **fields)

    def close(self, code: int, reason: str) -> None:
        """Stop the heartbeats, record the exit, and close both files."""
        self._closed.set()
        self._heartbeat.join(timeout=1.0)
        self.record("exit", code=code, reason=reason, step=self.step)
        with self._lock:
            self._log.close()
            self._metrics.close()

    def _send_heartbeats(self) -> None:
        while not self._closed.wait(HEARTBEAT_INTERVAL):
            self.record("heartbeat", phase=self._phase, step=self.step)


def _finite_or_none(value: Any) -> Any:
    if isinstance(value, float):
        return float(f"{value:.6g}") if math.isfinite(value) else None
    return value
