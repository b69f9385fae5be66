"""Paths as the user types them."""

from __future__ import annotations

import os
from pathlib import Path


def expanded(path: Path) -> Path:
    """Return the path with a leading ``~`` or ``~user`` replaced; an unknown user's is unchanged."""
    return Path(os.path.expanduser(path))  # noqa: PTH111 -- Path's own raises for an unknown user
