"""SFTP with the paths of OpenSSH for Windows: ``/C:/Users/...``, in any case."""

from __future__ import annotations

import os
import posixpath

import asyncssh

from lab.wine.home import WindowsHome


class WindowsFiles(asyncssh.SFTPServer):
    """Relative paths start in the user's home."""

    def __init__(self, channel: asyncssh.SSHServerChannel[bytes], windows: WindowsHome) -> None:
        super().__init__(channel)
        self._machine = windows.machine
        self._home = "/" + windows.folder.replace("\\", "/")

    def map_path(self, path: bytes) -> bytes:
        """Return the file of a client's path."""
        full = self._full(path)
        if full[1:3].lower() != "c:":
            return b"/nonexistent"
        return os.fsencode(self._machine.path(full[1:]))

    def reverse_map_path(self, path: bytes) -> bytes:
        """Return the client's path of a file."""
        return b"/C:" + path.removeprefix(os.fsencode(self._machine.drive))

    def realpath(self, path: bytes) -> bytes:
        """Return an absolute path without dots."""
        return self._full(path).encode()

    def _full(self, path: bytes) -> str:
        text = path.decode("utf-8").replace("\\", "/")
        return posixpath.normpath(text if text.startswith("/") else f"{self._home}/{text}")
