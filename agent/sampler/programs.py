"""Runs a vendor's program for its output, bounded in time."""

from __future__ import annotations

import os
import subprocess
from typing import Callable, List, Tuple

Run = Callable[[List[str]], Tuple[int, str]]

_SECONDS = 8.0
_NO_WINDOW = 0x08000000


def run_program(argv: List[str]) -> Tuple[int, str]:
    """Return exit status and stdout (with stderr when it failed); raises OSError, subprocess.TimeoutExpired.

    Output that is not UTF-8 (an error message on a Korean Windows) gets replacement characters.
    """
    result = subprocess.run(
        argv,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=_SECONDS,
        check=False,
        creationflags=_NO_WINDOW if os.name == "nt" else 0,
    )
    output = result.stdout if result.returncode == 0 else result.stdout + b"\n" + result.stderr
    return result.returncode, output.decode("utf-8", "replace")
