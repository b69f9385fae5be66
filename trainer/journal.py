"""What a rank tells: lines for a person on stdout and in its log, records for programs as JSON lines."""

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
HEARTBEAT = 10.0
PHASES = ("starting", "importing", "joining", "joined", "training", "saving", "sampling", "done")


class Journal:
    """``logs/train_<run>_rank<r>.log`` and ``logs/metrics_<run>_rank<r>.jsonl`` of one rank.

    Every record has ``kind``, ``t`` (Unix time) and ``rank``. Safe to use from several threads.
    """

    def __init__(self, folder: Path, run: str, rank: int, *, clock: Callable[[], float] = time.time) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.log_path = folder / f"train_{run}_rank{rank}.log"
        self.metrics_path = folder / f"metrics_{run}_rank{rank}.jsonl"
        self.step = 0
        self._rank = rank
        self._clock = clock
        self._phase = ""
        self._lock = threading.Lock()
        self._closed = threading.Event()
        self._log: IO[str] = self.log_path.open("a", encoding="utf-8", newline="\n")
        self._metrics: IO[str] = self.metrics_path.open("a", encoding="utf-8", newline="\n")
        self._heart = threading.Thread(target=self._beat, name="heartbeat", daemon=True)
        self._heart.start()

    def say(self, text: str) -> None:
        """Print a line and keep it in the log."""
        with self._lock:
            # The console may have gone, or its code page lack a letter; the log still has the line.
            with contextlib.suppress(OSError, UnicodeEncodeError):
                # In one piece: ranks of a node may share the console.
                sys.stdout.write(text + "\n")
                sys.stdout.flush()
            stamp = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(self._clock()))
            self._log.write("".join(f"{stamp} {line}\n" for line in text.split("\n")))
            self._log.flush()

    def record(self, kind: str, **fields: Any) -> None:
        """Append a record; numbers that are not finite become null."""
        head = {"kind": kind, "t": round(self._clock(), 3), "rank": self._rank}
        body = {key: _finite(value) for key, value in fields.items()}
        line = json.dumps({**head, **body}, ensure_ascii=False)
        with self._lock:
            self._metrics.write(line + "\n")
            self._metrics.flush()

    def phase(self, name: str, **fields: Any) -> None:
        """Record that the rank has come to a phase, one of PHASES."""
        self._phase = name
        self.record("phase", phase=name, step=self.step, **fields)

    def close(self, code: int, reason: str) -> None:
        """Write the last record; the heart stops."""
        self._closed.set()
        self._heart.join(timeout=1.0)
        self.record("exit", code=code, reason=reason, step=self.step)
        with self._lock:
            self._log.close()
            self._metrics.close()

    def _beat(self) -> None:
        while not self._closed.wait(HEARTBEAT):
            self.record("heartbeat", phase=self._phase, step=self.step)


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return float(f"{value:.6g}") if math.isfinite(value) else None
    return value
