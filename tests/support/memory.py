"""How much memory a piece of work takes at its peak."""

from __future__ import annotations

import gc
import tracemalloc
from pathlib import Path
from types import TracebackType

_STATUS = Path("/proc/self/status")


class PeakMemory:
    """Context manager; ``grown`` is the growth of the resident set at its peak, in bytes (Linux)."""

    grown = 0

    def __enter__(self) -> PeakMemory:
        gc.collect()
        Path("/proc/self/clear_refs").write_text("5")  # resets VmHWM
        self._before = _field("VmRSS")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.grown = _field("VmHWM") - self._before


class Allocations:
    """Context manager; bytes that Python allocated in the block: ``peak`` at most, ``kept`` at its end."""

    peak = 0
    kept = 0

    def __enter__(self) -> Allocations:
        gc.collect()
        tracemalloc.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        _, self.peak = tracemalloc.get_traced_memory()
        gc.collect()
        self.kept, _ = tracemalloc.get_traced_memory()
        tracemalloc.stop()


def _field(name: str) -> int:
    for line in _STATUS.read_text("ascii").splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) << 10
    raise LookupError(name)
