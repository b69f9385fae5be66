"""Restores a run's folder while the run lasts.

The ranks run as the same user as their supervisor: a program may rename, remove or replace the folder of its
own run. Without its files neither ``status`` nor ``stop`` would find the ranks. So the supervisor puts the
folder back, and where it cannot, the run ends.
"""

from __future__ import annotations

import os
import stat
import sys
import time
from contextlib import suppress
from typing import Callable, Optional, Tuple

from agent import private
from agent.processes import Identity
from agent.supervisor.folder import RunFolder, displaced_folder, write
from agent.supervisor.spec import RunSpec
from agent.wire.message import Message, message
from agent.wire.reasons import reason_of

_LINUX = sys.platform.startswith("linux")
_POLL_INTERVAL = 0.25
#: Seconds in which a folder that cannot be put back must come back by itself.
_LIMIT = 20.0
#: Where Linux shows what a descriptor has open, under its present name.
_OPEN_FILES = "/proc/self/fd/%d"


class FolderLostError(Exception):
    """The folder is gone, and something is in the way of a new one."""

    def __init__(self, what: Message) -> None:
        super().__init__(what)
        self.message = what


class FolderMonitor:
    """Watches the folder of a run from its supervisor."""

    def __init__(
        self,
        folder: RunFolder,
        me: Identity,
        clock: Callable[[], float] = time.monotonic,
        limit: float = _LIMIT,
    ) -> None:
        """Raises OSError without a folder."""
        self._folder = folder
        self._me = me
        self._clock = clock
        self._limit = limit
        self._looked = clock()
        self._missing_since: Optional[float] = None
        self._handle: Optional[int] = None
        if _LINUX:
            self._handle = _opened(folder.path)
        self._identity = _identity(folder.path)

    def check(self, spec: RunSpec, now: bool = False) -> Optional[Message]:
        """Put the folder back if it is gone, and return what happened, None for nothing.

        Looks a few times per second only, unless ``now``. Raises FolderLostError when the folder cannot be
        put back for longer than the limit.
        """
        if not now and self._clock() - self._looked < _POLL_INTERVAL:
            return None
        self._looked = self._clock()
        try:
            if _identity(self._folder.path) == self._identity:
                self._missing_since = None
                return None
        except (FileNotFoundError, NotADirectoryError):
            pass
        except OSError:
            return None  # a file system that does not answer, or expired credentials
        try:
            self._put_back(spec)
        except (FileExistsError, NotADirectoryError, FileNotFoundError) as error:
            if self._missing_since is None:
                self._missing_since = self._clock()
            elif self._clock() - self._missing_since > self._limit:
                lost = message(
                    "supervisor.folder-lost",
                    "the run was ended, because its folder was replaced: {reason}",
                    reason=reason_of(error),
                )
                raise FolderLostError(lost) from None
            return None
        except OSError:
            return None  # a full disk does not end a training
        self._missing_since = None
        return message("supervisor.folder-put-back", "the run's folder had been moved, and was put back")

    def _put_back(self, spec: RunSpec) -> None:
        folder = self._folder
        private.make_folders(os.path.dirname(folder.path))
        self._displace()
        moved = self._moved_to()
        if moved is not None:
            os.rename(moved, folder.path)
        else:
            folder.create()
            if self._handle is not None:
                os.close(self._handle)
                self._handle = _opened(folder.path)
        self._identity = _identity(folder.path)
        write(folder.spec, spec)
        write(folder.claim, self._me.as_json())
        with (
            suppress(FileExistsError),
            open(folder.owner, "x", encoding="utf-8", opener=private.opener) as file,
        ):
            file.write(spec["node"])

    def _displace(self) -> None:
        """Move what is in the folder's place out of the way; links and files are removed."""
        path = self._folder.path
        try:
            found = os.lstat(path)
        except FileNotFoundError:
            return
        if stat.S_ISDIR(found.st_mode):
            os.rename(path, displaced_folder(self._folder))
        else:
            os.remove(path)

    def _moved_to(self) -> Optional[str]:
        """Return where our folder is now, None when it was removed or the system does not tell."""
        if self._handle is None:
            return None
        try:
            path = os.readlink(_OPEN_FILES % self._handle)
            return path if _identity(path) == self._identity else None
        except OSError:
            return None


def _opened(path: str) -> int:
    return os.open(path, os.O_RDONLY | getattr(os, "O_DIRECTORY", 0) | getattr(os, "O_CLOEXEC", 0))


def _identity(path: str) -> Tuple[int, int]:
    """Return what makes the folder the same one; raises NotADirectoryError for anything else."""
    found = os.lstat(path)
    if not stat.S_ISDIR(found.st_mode):
        raise NotADirectoryError(path)
    return found.st_dev, found.st_ino
