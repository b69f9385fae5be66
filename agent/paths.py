"""Paths that a console sends: kept inside the project, and usable on this system."""

from __future__ import annotations

import os
import re
from typing import List

from agent.wire.message import Message, message

WINDOWS = os.name == "nt"

_FORBIDDEN = re.compile(r'[<>:"|?*\x00-\x1f]')
_DEVICES = re.compile(r"(con|prn|aux|nul|conin\$|conout\$|com[0-9¹²³]|lpt[0-9¹²³])\s*(\..*)?", re.IGNORECASE)


class PathRejected(ValueError):
    """``path`` must not or can't be used here; ``message`` starts with it and has the reason."""

    def __init__(self, path: str, message: Message) -> None:
        super().__init__(message)
        self.path = path
        self.message = message


def project_root(text: str) -> str:
    """Return a project's folder as an absolute path, symbolic links resolved; raises PathRejected.

    ``~`` is the user's home, where a relative path starts, too. On Windows the result has the ``\\\\?\\``
    prefix, which lifts the limit of 260 characters for everything that is joined to it.
    """
    if not text.strip() or "\0" in text:
        raise PathRejected(
            text, message("path.not-a-folder-name", "{path!r} is not a folder's name", path=text)
        )
    path = os.path.join(os.path.expanduser("~"), os.path.expanduser(text))
    path = os.path.realpath(path)
    if os.path.dirname(path) == path:
        raise PathRejected(
            text,
            message("path.disk-root", "{path!r} is the root of a disk, not a project's folder", path=text),
        )
    return extended(path) if WINDOWS else path


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
