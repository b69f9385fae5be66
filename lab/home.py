"""A node's own part of the file system, and the environment that keeps its programs in there."""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

#: Marks every process with its lab and node, as ``<lab id>/<node>``.
MARK = "DTUI_LAB"
#: What describes the console's own session and is not true of a login on a node.
_NOT_INHERITED = ("PYTHON", "VIRTUAL_ENV", "CONDA", "SSH_", "XDG_", "DTUI_", "TMUX", "PYTEST_")


@dataclass(frozen=True, slots=True)
class NodeHome:
    """The folder ``root`` with the node's home, cache and temporary files.

    ``extra`` are environment variables for everything that runs on the node.
    """

    lab: str
    node: str
    root: Path
    user: str
    extra: Mapping[str, str]

    @property
    def folder(self) -> Path:
        """The home folder: where commands start."""
        return self.root / "home"

    @property
    def mark(self) -> str:
        """The value of MARK in this node's processes."""
        return f"{self.lab}/{self.node}"

    def make(self) -> None:
        """Create the folders, and the start files that give a login its variables."""
        for folder in (self.folder, self._cache, self._temporary):
            folder.mkdir(parents=True, exist_ok=True)
        if os.name != "nt":
            lines = [f"export {name}={shlex.quote(value)}\n" for name, value in self._login().items()]
            for name in (".profile", ".zprofile"):
                (self.folder / name).write_text("".join(lines), encoding="utf-8", errors="surrogateescape")

    def environment(self) -> dict[str, str]:
        """Return the environment of a fresh login."""
        inherited = {
            name: value for name, value in os.environ.items() if not name.upper().startswith(_NOT_INHERITED)
        }
        return inherited | self._login()

    def _login(self) -> dict[str, str]:
        """Return the variables that are the node's own."""
        home, cache, temporary = str(self.folder), str(self._cache), str(self._temporary)
        if os.name == "nt":
            own = {"USERPROFILE": home, "APPDATA": cache, "LOCALAPPDATA": cache, "USERNAME": self.user}
            own |= {"TEMP": temporary, "TMP": temporary}
        else:
            own = {"HOME": home, "XDG_CACHE_HOME": cache, "USER": self.user, "LOGNAME": self.user}
            own |= {"TMPDIR": temporary, "SHELL": "/bin/sh", "PWD": home}
        return own | dict(self.extra) | {MARK: self.mark}

    @property
    def _cache(self) -> Path:
        return self.folder / ("AppData" if os.name == "nt" else ".cache")

    @property
    def _temporary(self) -> Path:
        # Short, since programs make sockets in there and their paths are limited to about 100 bytes.
        return self.root / "tmp"
