"""What a program may put in the place of a file of dtui."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from pathlib import Path


def nested(path: Path) -> None:
    """Plant JSON that is too deep."""
    path.write_text("[" * 100_000)


def digits(path: Path) -> None:
    """Plant JSON with a number that takes long to convert."""
    path.write_text('{"at": ' + "9" * 1_000_000 + "}")


def pipe(path: Path) -> None:
    """Plant a FIFO that nobody writes to."""
    os.mkfifo(path)


def sparse(path: Path) -> None:
    """Plant a file of 3 GiB that takes no room."""
    with path.open("wb") as file:
        file.truncate(3 << 30)


def link(path: Path) -> None:
    """Plant a link to a device without end."""
    path.symlink_to("/dev/zero")


def listener(path: Path) -> None:
    """Plant a Unix socket; its path may be longer than an address can be."""
    os.mknod(path, stat.S_IFSOCK | 0o600)


def folder(path: Path) -> None:
    """Plant a folder."""
    path.mkdir()


PLANTS: tuple[Callable[[Path], None], ...] = (nested, digits, pipe, sparse, link, folder)
