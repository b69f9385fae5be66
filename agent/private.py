"""Folders and files that only their owner may read: ``.dtui`` on nodes and on the master, the agent's cache.

On POSIX folders have mode 700 and files 600 whatever the umask, from their creation on. On Windows
everything inherits the folder's access list: the user, SYSTEM and Administrators. No function here follows
a symbolic link at the path's last part.
"""

from __future__ import annotations

import errno
import os
import stat
import sys
from contextlib import suppress
from typing import List

from agent.wire.message import Message, message

#: The folder for what dtui itself keeps in a project.
OWN = ".dtui"
FOLDER_MODE = 0o700
FILE_MODE = 0o600
#: Marks a folder whose contents have been made private once: older versions left readable files.
MARK = "private"
NO_LINK = getattr(os, "O_NOFOLLOW", 0)
#: With this flag a FIFO in place of a file can't block us.
NO_WAIT = getattr(os, "O_NONBLOCK", 0)


def regular(path: str, flags: int) -> int:
    """Open a file that a program of the project may have replaced: an ``opener`` for :func:`open`.

    Raises OSError for a FIFO, which would block us, for a socket, a device and a folder.
    """
    try:
        handle = os.open(path, flags | NO_WAIT, FILE_MODE)
    except OSError as error:
        # A socket, or a FIFO that nobody reads.
        raise (_not_a_file(path) if error.errno == errno.ENXIO else error) from None
    try:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise _not_a_file(path)
        if os.name != "nt":
            os.set_blocking(handle, True)  # a rank inherits the file
    except BaseException:
        os.close(handle)
        raise
    return handle


def _not_a_file(path: str) -> OSError:
    return OSError(errno.EINVAL, message("private.not-a-file", "not a regular file"), path)


def opener(path: str, flags: int) -> int:
    """Open a file of dtui: an ``opener`` for :func:`open`. Raises OSError, for a symbolic link too."""
    handle = regular(path, flags | NO_LINK)
    try:
        # The file may be older than this version.
        written = flags & (os.O_WRONLY | os.O_RDWR)
        if written and os.name != "nt" and stat.S_IMODE(os.fstat(handle).st_mode) != FILE_MODE:
            os.fchmod(handle, FILE_MODE)
    except BaseException:
        os.close(handle)
        raise
    return handle


def make_folder(path: str) -> None:
    """Create a folder that only its owner may use, or make an existing one so; raises OSError.

    Folders above it are created with the usual mode.
    """
    os.makedirs(os.path.dirname(os.path.abspath(path)), exist_ok=True)
    with suppress(FileExistsError):
        os.mkdir(path, FOLDER_MODE)
        if os.name == "nt":
            _protect(path)
            return
    _check_folder(path)


def claim(path: str) -> None:
    """Make a folder, and everything that older versions left in it, private; raises OSError.

    The folder is created if needed. After the first time this costs two file system calls.
    """
    make_folder(path)
    mark = os.path.join(path, MARK)
    if os.path.lexists(mark):
        return
    if os.name == "nt":
        _protect(path)  # Windows applies it to everything in the folder
    else:
        for _, folders, files, handle in os.fwalk(path, follow_symlinks=False):
            for name in folders + files:
                with suppress(OSError):  # removed meanwhile, or another user's
                    _restrict(name, handle)
    with suppress(FileExistsError):
        os.close(opener(mark, os.O_CREAT | os.O_EXCL | os.O_WRONLY))


def make_folders(path: str) -> None:
    """Create a folder within a ``.dtui``, private like all that is in between; raises OSError.

    The ``.dtui`` is claimed. Outside of one it is :func:`make_folder`.
    """
    inner: List[str] = []
    above = os.path.abspath(path)
    while os.path.basename(above) != OWN:
        inner.append(above)
        above = os.path.dirname(above)
        if os.path.dirname(above) == above:
            make_folder(path)
            return
    claim(above)
    for folder in reversed(inner):
        make_folder(folder)


def _check_folder(path: str) -> None:
    """Make a folder private; raises OSError when it is a link or belongs to another user."""
    if os.name == "nt":
        if os.path.islink(path):
            raise NotADirectoryError(errno.ENOTDIR, _not_a_folder(), path)
        return
    try:
        handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY | NO_LINK)
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.ENOTDIR):
            raise NotADirectoryError(errno.ENOTDIR, _not_a_folder(), path) from None
        raise
    try:
        status = os.fstat(handle)
        if status.st_uid != os.geteuid() != 0:
            other = message("private.other-owner", "it belongs to another user")
            raise PermissionError(errno.EPERM, other, path)
        if stat.S_IMODE(status.st_mode) != FOLDER_MODE:
            os.fchmod(handle, FOLDER_MODE)
    finally:
        os.close(handle)


def _not_a_folder() -> Message:
    return message("private.not-a-folder", "not a folder, but a link or a file")


def _restrict(name: str, folder: int) -> None:
    """Take from all but the owner what they may do with an entry of an open folder; links stay."""
    status = os.stat(name, dir_fd=folder, follow_symlinks=False)
    if not (stat.S_ISREG(status.st_mode) or stat.S_ISDIR(status.st_mode)):
        return
    mode = stat.S_IMODE(status.st_mode)
    wanted = mode & 0o700
    if mode == wanted:
        return
    handle = os.open(name, os.O_RDONLY | NO_LINK | NO_WAIT, dir_fd=folder)
    try:
        os.fchmod(handle, wanted)
    finally:
        os.close(handle)


def access_list(user: str) -> str:
    """Return the security descriptor (SDDL) of a private folder for the user with this SID."""
    # P: nothing is inherited from above. OICI: files and folders in it inherit. FA: full access.
    return "D:P(A;OICI;FA;;;SY)(A;OICI;FA;;;BA)(A;OICI;FA;;;%s)" % user


def _protect(path: str) -> None:
    """Give a folder on Windows its access list; raises OSError."""
    if sys.platform == "win32":
        from agent.windows_security import protect, user_sid

        protect(path, access_list(user_sid()))
