"""Paths that a console sends: kept inside the project, and usable on this system."""

from __future__ import annotations

import os
import re
from typing import List

from agent.wire.message import Message, message

WINDOWS = os.name == "nt"
#: CreateProcess takes paths of up to 259 characters whatever LongPathsEnabled is, and the longest program of
#: an environment is ``.venv\\Scripts\\python.exe``.
LONGEST_ON_WINDOWS = 259 - len("\\.venv\\Scripts\\python.exe")

_FORBIDDEN = re.compile(r'[<>:"|?*\x00-\x1f]')
_DEVICES = re.compile(r"(con|prn|aux|nul|conin\$|conout\$|com[0-9¹²³]|lpt[0-9¹²³])\s*(\..*)?", re.IGNORECASE)


class PathRejected(ValueError):
    """``path`` must not or can't be used here; ``message`` starts with it and has the reason."""

    def __init__(self, path: str, message: Message) -> None:
        super().__init__(message)
        self.path = path
        self.message = message


class ProjectRejected(PathRejected):
    """The project's own folder can't be used here; ``remedy`` says what to change."""

    remedy = message(
        "project.path.remedy",
        "set the node's `project` to a folder on one of its disks, such as D:\\train\\project on Windows or "
        "~/project",
    )


def project_root(text: str) -> str:
    """Return a project's folder as an absolute path, symbolic links resolved; raises ProjectRejected.

    ``~`` is the user's home, where a relative path starts, too. On Windows the result has the ``\\\\?\\``
    prefix, which lifts the limit of 260 characters for everything that is joined to it.
    """
    if not text.strip() or "\0" in text:
        raise ProjectRejected(
            text, message("path.not-a-folder-name", "{path!r} is not a folder's name", path=text)
        )
    reject_other_system(text)
    path = os.path.join(os.path.expanduser("~"), os.path.expanduser(text))
    path = os.path.realpath(path)
    if os.path.dirname(path) == path:
        raise ProjectRejected(
            text,
            message("path.disk-root", "{path!r} is the root of a disk, not a project's folder", path=text),
        )
    if not WINDOWS:
        return path
    reject_long(shown(path))
    return extended(path)


def reject_other_system(text: str, windows: bool = WINDOWS) -> None:
    """Raise ProjectRejected for an absolute path of another system, which would be a name on this one."""
    if windows and text.startswith("/") and not text.startswith("//"):
        raise ProjectRejected(
            text, message("path.of-linux", "{path!r} is a path of Linux, but this is Windows", path=text)
        )
    if not windows and re.match(r"[A-Za-z]:[\\/]|\\\\", text):
        raise ProjectRejected(
            text,
            message(
                "path.of-windows", "{path!r} is a path of Windows, but this is another system", path=text
            ),
        )


def reject_long(path: str) -> None:
    """Raise ProjectRejected for a folder in which Windows can't start a program."""
    if len(path) > LONGEST_ON_WINDOWS:
        raise ProjectRejected(
            path,
            message(
                "path.too-long",
                "{path!r} has {length} characters; a program can be started in a folder with {limit} at most",
                path=path,
                length=len(path),
                limit=LONGEST_ON_WINDOWS,
            ),
        )


def extended(path: str) -> str:
    """Return an absolute Windows path in the form that has no length limit."""
    if path.startswith("\\\\?\\"):
        return path
    if path.startswith("\\\\"):
        return "\\\\?\\UNC\\" + path[2:]
    return "\\\\?\\" + path


def shown(path: str) -> str:
    """Return a path as users write it, without the ``\\\\?\\`` prefix."""
    if path.startswith("\\\\?\\UNC\\"):
        return "\\\\" + path[8:]
    return path[4:] if path.startswith("\\\\?\\") else path


def split(path: str, windows: bool = WINDOWS) -> List[str]:
    """Return the parts of a relative path with ``/``; raises PathRejected when it could lead elsewhere.

    What is legal depends on the system: ``a:b`` is a name on POSIX and an alternate stream on Windows.
    """
    if not path:
        raise PathRejected(path, message("path.empty", "{path!r} is empty", path=path))
    if "\0" in path:
        raise PathRejected(path, message("path.zero-byte", "{path!r} has a zero byte in it", path=path))
    if path.startswith("/"):
        raise PathRejected(path, message("path.absolute", "{path!r} is absolute", path=path))
    if windows:
        _reject_windows(path)
    parts = path.split("/")
    for part in parts:
        if part in ("", ".", ".."):
            raise PathRejected(
                path, message("path.dot-part", "{path!r} has an empty, '.' or '..' part", path=path)
            )
        if windows:
            _reject_windows_name(path, part)
    return parts


def _reject_windows(path: str) -> None:
    if path.startswith("\\"):
        raise PathRejected(
            path, message("path.absolute-or-share", "{path!r} is absolute or on a network share", path=path)
        )
    if re.match(r"[A-Za-z]:", path):
        raise PathRejected(path, message("path.drive", "{path!r} names a drive", path=path))
    if "\\" in path:
        raise PathRejected(path, message("path.backslash", "{path!r} has a backslash in it", path=path))


def _reject_windows_name(path: str, name: str) -> None:
    if ":" in name:
        raise PathRejected(
            path, message("path.data-stream", "{path!r} names an alternate data stream", path=path)
        )
    if _FORBIDDEN.search(name):
        raise PathRejected(
            path,
            message(
                "path.windows-character",
                "{path!r} has a character that Windows does not allow in names",
                path=path,
            ),
        )
    if name[-1] in ". ":
        raise PathRejected(
            path,
            message(
                "path.windows-ending",
                "{path!r} has a name that ends with a dot or a space, which Windows drops",
                path=path,
            ),
        )
    if _DEVICES.fullmatch(name):
        raise PathRejected(
            path,
            message(
                "path.windows-device", "{path!r} has a name that Windows reserves for a device", path=path
            ),
        )
