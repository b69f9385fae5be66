"""The files of ``configs/`` as they are installed."""

from __future__ import annotations

from pathlib import Path


def shipped(name: str) -> Path:
    """Return where the installed ``configs/<name>`` is.

    It is next to this package, in a checkout and in an installation. It is not imported, since a
    project's own ``configs`` folder may come first on the path.
    """
    return Path(__file__).parent.parent / "configs" / name
