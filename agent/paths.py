"""Paths that a console sends: kept inside the project, and usable on this system."""

from __future__ import annotations

import os
import re
from typing import List

WINDOWS = os.name == "nt"

_FORBIDDEN = re.compile(r'[<>:"|?*\x00-\x1f]')
_DEVICES = re.compile(r"(con|prn|aux|nul|conin\$|conout\$|com[0-9¹²³]|lpt[0-9¹²³])\s*(\..*)?", re.IGNORECASE)


class PathRejected(ValueError):
    """``path`` must not or can't be used here, for ``reason``."""

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(f"{path!r} {reason}")
        self.path = path
        self.reason = reason


def project_root(text: str) -> str:
    """Return a project's folder as an absolute path, symbolic links resolved; raises PathRejected.

    ``~`` is the user's home, where a relative path starts, too. On Windows the result has the ``\\\\?\\``
    prefix, which lifts the limit of 260 characters for everything that is joined to it.
    """
    if not text.strip() or "\0" in text:
        raise PathRejected(text, "is not a folder's name")
    path = os.path.join(os.path.expanduser("~"), os.path.expanduser(text))
    path = os.path.realpath(path)
    if os.path.dirname(path) == path:
        raise PathRejected(text, "is the root of a disk, not a project's folder")
    return extended(path) if WINDOWS else path


def extended(path: str) -> str:
    """Return an absolute Windows path in the form that has no length limit."""
    if path.startswith("\\\\?\\"):
        return path
    if path.startswith("\\\\"):
        return "\\\\?\\UNC\\" + path[2:]
    return "\\\\?\\" + path


def shown(path: str) -> str:
    """Return a path as a person knows it, without the ``\\\\?\\`` prefix."""
    if path.startswith("\\\\?\\UNC\\"):
        return "\\\\" + path[8:]
    return path[4:] if path.startswith("\\\\?\\") else path


def split(path: str, windows: bool = WINDOWS) -> List[str]:
    """Return the parts of a relative path with ``/``; raises PathRejected when it could lead elsewhere.

    What is legal depends on the system: ``a:b`` is a name on POSIX and an alternate stream on Windows.
    """
    if not path:
        raise PathRejected(path, "is empty")
    if "\0" in path:
        raise PathRejected(path, "has a zero byte in it")
    if path.startswith("/"):
        raise PathRejected(path, "is absolute")
    if windows:
        _reject_windows(path)
    parts = path.split("/")
    for part in parts:
        if part in ("", ".", ".."):
            raise PathRejected(path, "has an empty, '.' or '..' part")
        if windows:
            _reject_windows_name(path, part)
    return parts


def _reject_windows(path: str) -> None:
    if path.startswith("\\"):
        raise PathRejected(path, "is absolute or on a network share")
    if re.match(r"[A-Za-z]:", path):
        raise PathRejected(path, "names a drive")
    if "\\" in path:
        raise PathRejected(path, "has a backslash in it")


def _reject_windows_name(path: str, name: str) -> None:
    if ":" in name:
        raise PathRejected(path, "names an alternate data stream")
    if _FORBIDDEN.search(name):
        raise PathRejected(path, "has a character that Windows does not allow in names")
    if name[-1] in ". ":
        raise PathRejected(path, "has a name that ends with a dot or a space, which Windows drops")
    if _DEVICES.fullmatch(name):
        raise PathRejected(path, "has a name that Windows reserves for a device")
