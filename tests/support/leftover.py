"""A rank of an earlier run whose supervisor is gone, as a crash leaves it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from agent.processes import identify

RUN = "run-old"


@contextmanager
def leftover(project: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Start it, and leave its traces in the master's project folder."""
    process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=True)
    try:
        identity = identify(process.pid)
        assert identity is not None
        gone = {"pid": 1 << 22, "start_time": "gone"}
        rank = {
            "rank": 0, "local_rank": 0, "pid": process.pid, "start_time": identity.start_time,
            "started_at": 0.0, "exited_at": None, "exit_code": None, "stopped": False,
        }  # fmt: skip
        folder = project / ".dtui" / "runs" / RUN
        folder.mkdir(parents=True)
        status = {"run": RUN, "node": "master", "state": "running", "error": "", "ranks": [rank], "at": 0.0}
        (folder / "status.json").write_text(json.dumps({**status, "supervisor": gone}), "utf-8")
        (folder / "spec.json").write_text(json.dumps({"run": RUN, "node": "master", "ranks": []}), "utf-8")
        yield process
    finally:
        process.kill()
        process.wait()
