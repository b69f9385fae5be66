"""The GPU sampler's process: it answers each line of stdin with a line of JSON, and ends with its input."""

from __future__ import annotations

import json
import os
import sys
import time
from typing import Optional

from agent.sampler.gpu import Source
from agent.sampler.sources import read_gpus
from agent.wire.gpu import GpuAnswer

#: How long an answer is reused: a vendor's program costs far more than NVML, and to look for a driver
#: that is not there more still.
_PERIODS = {"nvml": 0.0, "none": 60.0}
_PROGRAM_PERIOD = 5.0


def main() -> int:
    """Answer until the agent closes our stdin."""
    # A driver's library may print; its words must not end up in an answer.
    answers = os.fdopen(os.dup(1), "wb", buffering=0)
    os.dup2(2, 1)
    source: Optional[Source] = None
    answer: Optional[GpuAnswer] = None
    due = 0.0
    for _ in sys.stdin.buffer:
        now = time.monotonic()
        if answer is None or now >= due:
            source, answer = read_gpus(source)
            due = now + _PERIODS.get(answer["source"], _PROGRAM_PERIOD)
        answers.write(json.dumps(answer, separators=(",", ":")).encode("ascii") + b"\n")
    # Not a normal exit: a driver's library may hang in its exit handlers.
    os._exit(0)
