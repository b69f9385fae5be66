"""Checks a configuration with the trainer, in a separate process instead of importing it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from agent.wire.message import Message

#: An answer takes a tenth of a second; a machine that is busier than this gets none.
_TIMEOUT = 5.0


def trainer_faults(text: str, *, name: str, project: Path) -> Sequence[Message]:
    """Return the faults of a configuration that is called ``name``; none when the trainer can't be asked.

    The trainer in the project's folder is asked, which is what a run starts there; else the installed one.
    """
    try:
        asked = subprocess.run(
            [sys.executable, "-m", "trainer.settings_file", name],
            input=text.encode("utf-8", "replace"),
            capture_output=True,
            cwd=project,
            env={**os.environ, "PYTHONUTF8": "1", "PYTHONDONTWRITEBYTECODE": "1"},
            timeout=_TIMEOUT,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return []
    return [Message(line) for line in asked.stdout.decode("utf-8", "replace").splitlines() if line]
