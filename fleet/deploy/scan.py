"""The files of a project on the master that a deploy copies."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from fleet.deploy.ignore import IgnoreRules
from fleet.frozen import frozen


class SourceFile(NamedTuple):
    """A file as it was seen: ``path`` relative with ``/``; ``executable`` None where no such bit is."""

    path: str
    size: int
    mtime_ns: int
    executable: int | None


@frozen
class Finding:
    """Something about one path: ``what`` is wrong, and the ``remedy``."""

    path: str
    what: str
    remedy: str = ""

    def __str__(self) -> str:
        return f"{self.path!r} {self.what}"


@frozen
class Scan:
    """A project's files, sorted by path."""

    root: Path
    rules: IgnoreRules
    files: tuple[SourceFile, ...]
    #: What makes a deploy impossible.
    faults: tuple[Finding, ...]
    #: What is left out.
    left_out: tuple[Finding, ...]

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(file.size for file in self.files)


def scan(root: Path) -> Scan:
    """Read the tree in ``root``. Blocks; what can't be read becomes a fault, and nothing is raised."""
    root = root.resolve()
    walk = _Walk(root)
    try:
        walk.rules = IgnoreRules.read(root, ignore_case=os.name == "nt")
        files = sorted(walk.folder("", root))
    except OSError as error:
        walk.faults.append(Finding(".", f"can't be read: {error.strerror or error}"))
        files = []
    if not files and not walk.faults:
        walk.faults.append(
            Finding(str(root), "has no file to deploy", "check the project's path and .dtuiignore")
        )
    return Scan(root, walk.rules, tuple(files), tuple(walk.faults), tuple(walk.left_out))


class _Walk:
    def __init__(self, root: Path) -> None:
        self.root = root
        self.rules = IgnoreRules()
        self.faults: list[Finding] = []
        self.left_out: list[Finding] = []

    def folder(self, prefix: str, place: Path | str) -> Iterator[SourceFile]:
        try:
            with os.scandir(place) as listing:
                entries = list(listing)
        except OSError as error:
            self._unreadable(prefix.rstrip("/") or ".", error)
            return
        for entry in entries:
            path = prefix + entry.name
            is_folder = entry.is_dir(follow_symlinks=False) and not _is_junction(entry)
            if self.rules.excludes(path, folder=is_folder):
                continue
            if not _is_text(path):
                shown = path.encode("utf-8", "backslashreplace").decode()
                self.faults.append(Finding(shown, "has a name that is not valid UTF-8", "rename it"))
            elif is_folder:
                yield from self.folder(path + "/", entry.path)
            else:
                yield from self._file(path, entry)

    def _file(self, path: str, entry: os.DirEntry[str]) -> Iterator[SourceFile]:
        try:
            if entry.is_symlink() or _is_junction(entry):
                reason = self._reason_not_to_follow(entry)
                if reason:
                    self.left_out.append(Finding(path, reason, "copy what it leads to into the project"))
                    return
            # On Windows a DirEntry's own status can be out of date, as for a file with two names.
            status = Path(entry.path).stat() if os.name == "nt" else entry.stat()
            if not stat.S_ISREG(status.st_mode):
                self.left_out.append(Finding(path, "is no regular file"))
                return
            if not os.access(entry.path, os.R_OK, effective_ids=os.access in os.supports_effective_ids):
                raise PermissionError(13, "Permission denied")
        except FileNotFoundError:
            return  # gone since the folder was read
        except OSError as error:
            self._unreadable(path, error)
            return
        executable = int(bool(status.st_mode & stat.S_IXUSR)) if os.name == "posix" else None
        yield SourceFile(path, status.st_size, status.st_mtime_ns, executable)

    def _reason_not_to_follow(self, entry: os.DirEntry[str]) -> str:
        target = Path(entry.path)
        try:
            real = target.resolve(strict=True)
        except (OSError, RuntimeError):
            return "is a link to something that does not exist"
        if not real.is_relative_to(self.root):
            return f"is a link that leads out of the project, to {real}"
        return "is a link to a folder" if real.is_dir() else ""

    def _unreadable(self, path: str, error: OSError) -> None:
        self.faults.append(
            Finding(
                path,
                f"can't be read: {error.strerror or error}",
                "change its rights or list it in .dtuiignore",
            )
        )


def _is_junction(entry: os.DirEntry[str]) -> bool:
    """Return whether it is a Windows mount point, which Python does not count as a link."""
    tag = getattr(entry.stat(follow_symlinks=False), "st_reparse_tag", 0)
    return bool(tag & 0x20000000)


def _is_text(path: str) -> bool:
    try:
        path.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True
