"""Where files of a deploy wait until all are there: ``.dtui/incoming``.

A file's name there tells whose contents it has (path, size and time on the console), its length how
much of them has arrived. So a deploy that broke off goes on where it was.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from contextlib import suppress
from typing import BinaryIO, Callable, Iterable, List, Optional

from agent import durable
from agent.paths import PathRejected
from agent.tree.format import BLOCK, read_digests
from agent.tree.places import OWN


def own_folder(root: str) -> str:
    """Create the project's folder and dtui's own one in it, return the latter.

    Raises OSError, PathRejected.
    """
    folder = os.path.join(root, OWN)
    if os.path.islink(folder):
        raise PathRejected(OWN, "is a symbolic link on the node; dtui's own folder must be a real one")
    os.makedirs(folder, exist_ok=True)
    return folder


def key(path: str, size: int, mtime_ns: int) -> str:
    """Return the staged name of a file with these contents."""
    text = f"{size}/{mtime_ns}/{path}".encode("utf-8", "surrogatepass")
    return hashlib.blake2b(text, digest_size=16).hexdigest()


class Staging:
    """The staged files of the project at ``root``; nothing is created before :meth:`prepare`."""

    def __init__(self, root: str) -> None:
        self.folder = os.path.join(root, OWN, "incoming")

    def prepare(self, keep: Iterable[str]) -> None:
        """Create the folder and remove what earlier deploys left, but for the names in ``keep``."""
        os.makedirs(self.folder, exist_ok=True)
        wanted = set(keep)
        for name in os.listdir(self.folder):
            if name not in wanted:
                _remove(os.path.join(self.folder, name))

    def discard(self, prefix: str = "") -> None:
        """Remove what is staged under names with ``prefix``, as far as nobody has it open on Windows."""
        try:
            names = os.listdir(self.folder)
        except OSError:
            return
        for name in names:
            if name.startswith(prefix):
                _remove(os.path.join(self.folder, name))
        with suppress(OSError):  # not empty
            os.rmdir(self.folder)

    def place(self, name: str) -> str:
        """Return a staged file's path."""
        return os.path.join(self.folder, name)

    def length(self, name: str, size: int) -> Optional[int]:
        """Return how much of a file of ``size`` bytes is staged, in whole blocks; None when nothing is."""
        try:
            length = os.lstat(self.place(name)).st_size
        except OSError:
            return None
        if length >= size:
            return size if length == size else None
        return length // BLOCK * BLOCK or None

    def open_at(self, name: str, length: int) -> BinaryIO:
        """Open a staged file for writing after its first ``length`` bytes, dropping the rest."""
        path = self.place(name)
        if length:
            os.truncate(path, length)
        return open(path, "ab" if length else "wb")


def _remove(path: str) -> None:
    """Remove a file or folder; what can't be removed now is left for the next deploy."""

    def insist(_function: object, name: str, _error: object) -> None:
        with suppress(OSError):
            durable.remove(name)

    if os.path.isdir(path) and not os.path.islink(path):
        shutil.rmtree(path, onerror=insist)
    else:
        insist(None, path, None)


def digests_of(path: str, length: int, progress: Optional[Callable[[int], None]] = None) -> List[str]:
    """Return the block digests of a file's first ``length`` bytes; raises OSError, also if it is shorter."""
    with open(path, "rb") as file:
        try:
            return read_digests(file.read, length, progress)
        except EOFError as error:
            raise OSError(f"{path}: {error}") from None
