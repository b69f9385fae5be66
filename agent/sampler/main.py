"""The GPU sampler's process: a line on stdin asks, a line of JSON answers; end of input ends it."""

from __future__ import annotations

import json
import os
import sys
import time
from typing import Any, Dict, Optional

from agent.sampler.gpu import Source
from agent.sampler.sources import read_gpus

#: A vendor's program costs far more than NVML: its answer is given again for so many seconds.
_PROGRAM_PERIOD = 5.0


def main() -> int:
    """Answer until the agent closes our stdin."""
    # A driver's library may print; its words must not end up in an answer.
    answers = os.fdopen(os.dup(1), "wb", buffering=0)
    os.dup2(2, 1)
    source: Optional[Source] = None
    answer: Dict[str, Any] = {}
    asked = 0.0
    for _ in sys.stdin.buffer:
        now = time.monotonic()
        if source is None or source.name == "nvml" or now - asked >= _PROGRAM_PERIOD:
            source, answer = read_gpus(source)
            asked = now
        answers.write(json.dumps(answer, separators=(",", ":")).encode("ascii") + b"\n")
    # Not the usual way out: a driver's library may hang in its last words.
    os._exit(0)
