"""Files in the project's ``.dtui`` on the master, which only their owner may read (agent.private)."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from agent import durable, private

#: Bytes of a file that grows with the number of nodes or files, such as a run's plan.
LARGEST_LIST = durable.LARGEST_LIST


def make_folder(path: Path) -> None:
    """Create a folder within ``.dtui``, private like all that is in between; raises OSError.

    The ``.dtui`` itself may be a link, to a larger disk for example. Within it a link is refused: a program
    of the project may have planted it.
    """
    own = next((each for each in (path, *path.parents) if each.name == private.OWN), path)
    folder = Path(os.path.realpath(own))
    private.make_folders(os.fspath(folder))
    for name in path.relative_to(own).parts:
        folder /= name
        private.make_folder(os.fspath(folder))


def claim(home: Path) -> None:
    """Make an existing ``.dtui`` private with all that older versions left in it; raises OSError."""
    if home.is_dir():
        private.claim(os.path.realpath(home))


def open_private(path: Path, mode: str, **options: Any) -> Any:
    """Open a file as :func:`open` does; a new one has mode 600.

    Raises OSError, also for a symbolic link, a FIFO and a device: the ranks on the master may write here.
    """
    return open(path, mode, opener=private.opener, **options)


def read_private(path: Path, limit: int = durable.LARGEST) -> bytes:
    """Return a file's bytes; raises OSError as :func:`open_private`, and for more than ``limit`` bytes."""
    return durable.read_file(os.fspath(path), limit)


def read_project_file(path: Path, limit: int) -> bytes:
    """Return the bytes of a file of the project, which may be a link; raises as :func:`read_private`."""
    return durable.read_file(os.fspath(path), limit, private.regular)


def write_private(path: Path, text: str) -> None:
    """Replace a file's text, UTF-8; raises OSError."""
    with open_private(path, "w", encoding="utf-8") as file:
        file.write(text)
