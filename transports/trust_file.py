"""A file of trusted keys or certificates, which only its owner may read and write."""

from __future__ import annotations

import os
from pathlib import Path

from agent.wire.message import Message, message
from transports.errors import TransportError
from transports.regular_files import NotRegularError, open_regular, read_regular
from transports.system_errors import system_error

_MODE = 0o600
#: A symbolic link in the file's place could lead to another user's file.
_NO_LINK = getattr(os, "O_NOFOLLOW", 0)


class TrustFile:
    """The file at ``path``, which need not exist."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def read(self) -> str:
        """Return the text, empty without a file; raises TransportError.

        An unreadable file is an error, because a revoked key may be in it.
        """
        try:
            return read_regular(self.path, flags=os.O_RDONLY | _NO_LINK).decode("utf-8", "replace")
        except FileNotFoundError:
            return ""
        except OSError as error:
            unreadable = message("trust.unreadable", "{path} can't be read: {reason}",
                                 path=str(self.path), reason=self._reason(error))  # fmt: skip
            raise self._problem(unreadable) from error

    def append(self, line: str) -> None:
        """Add a line in one write, because two nodes may be recorded at once; raises TransportError."""
        try:
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | _NO_LINK
            handle = open_regular(self.path, flags, _MODE)
            try:
                if os.name != "nt":
                    os.fchmod(handle, _MODE)  # the file may be older than this version
                os.write(handle, line.encode("utf-8"))
                os.fsync(handle)
            finally:
                os.close(handle)
        except OSError as error:
            unwritable = message("trust.unwritable", "{path} can't be written: {reason}",
                                 path=str(self.path), reason=self._reason(error))  # fmt: skip
            raise self._problem(unwritable) from error

    def _reason(self, error: OSError) -> Message:
        if self.path.is_symlink():
            return message("trust.link", "it is a symbolic link")
        if isinstance(error, NotRegularError):
            return message("trust.not-regular", "it is not a regular file")
        return system_error(error)

    def _problem(self, what: Message) -> TransportError:
        remedy = message(
            "trust.remedy",
            "this file contains the keys and certificates that you trust: make it a regular file of your own",
        )
        return TransportError(what, remedy=remedy)
