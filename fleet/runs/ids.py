"""Names of runs."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable


def new_run_id(clock: Callable[[], float] = time.time) -> str:
    """Return an id that sorts by time, such as ``20260314-150926-5e1f``, in UTC.

    The random end keeps two consoles apart that launch in the same second.
    """
    return time.strftime("%Y%m%d-%H%M%S", time.gmtime(clock())) + "-" + secrets.token_hex(2)
