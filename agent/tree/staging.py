"""Files of a deploy until all have arrived: ``.dtui/incoming``.

A file's name there identifies its contents (path, size and time on the console), and its length is the part
that has arrived. So an interrupted deploy continues at its position.
"""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
import stat
from contextlib import suppress
from typing import BinaryIO, Callable, Iterable, List, Optional

from agent import durable
from agent.paths import PathRejected
from agent.private import OWN, claim, make_folder, opener, regular
from agent.tree.format import BLOCK, read_digests
from agent.wire.message import message
from agent.wire.reasons import reason_of


def own_folder(root: str) -> str:
    """Create the project's folder and dtui's own one in it, return the latter.

    Raises OSError, PathRejected.
    """
    folder = os.path.join(root, OWN)
    if os.path.islink(folder):
        raise PathRejected(
            OWN,
            message(
                "path.own-folder-is-a-link",
                "{path!r} is a symbolic link on the node; dtui's own folder must be a real one",
                path=OWN,
            ),
        )
    claim(folder)
    return folder


def key(path: str, size: int, mtime_ns: int) -> str:
    """Return the staged name of a file with these contents."""
    text = f"{size}/{mtime_ns}/{path}".encode("utf-8", "surrogatepass")
    return hashlib.blake2b(text, digest_size=16).hexdigest()


class Staging:
    """The staged files of the project at ``root``; nothing is created before :meth:`prepare`."""

    def __init__(self, root: str) -> None:
        self.root = root
        self.folder = os.path.join(root, OWN, "incoming")

    def prepare(self, keep: Iterable[str]) -> None:
        """Create the folder and remove what earlier deploys left, but for the names in ``keep``."""
        own_folder(self.root)
        make_folder(self.folder)
        wanted = set(keep)
        for name in os.listdir(self.folder):
            if name not in wanted:
                _remove(os.path.join(self.folder, name))

    def discard(self, prefix: str = "") -> None:
        """Remove staged files with ``prefix``, except those that are open on Windows."""
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
        return open(path, "ab" if length else "wb", opener=opener)

    def usual_mode(self) -> int:
        """Return the mode that a new file gets from this process's umask; raises OSError."""
        # Asking for the umask would briefly change it, for all threads.
        path = self.place(f"mode-{os.getpid()}")
        durable.remove(path)
        handle = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666)
        try:
            return stat.S_IMODE(os.fstat(handle).st_mode)
        finally:
            os.close(handle)
            durable.remove(path)

    def release(self, name: str, usual: int) -> None:
        """Give a staged file its mode in the project: ``usual``, executable if it is that already."""
        if os.name == "nt":
            return
        path = self.place(name)
        executable = os.lstat(path).st_mode & stat.S_IXUSR
        os.chmod(path, usual | (usual & 0o444) >> 2 if executable else usual)


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
    with open(path, "rb", opener=regular) as file:
        try:
            return read_digests(file.read, length, progress)
        except EOFError as error:
            raise OSError(errno.EIO, reason_of(error), path) from None
