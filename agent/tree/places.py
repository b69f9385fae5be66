"""A project's folder on the node, seen through the paths of a manifest.

Only folders that the manifest names are read, each once; the rest of the tree (data, outputs, a
virtual environment) costs nothing.
"""

from __future__ import annotations

import os
import stat
from typing import Callable, Dict, Iterator, List, NamedTuple, Optional, Tuple

from agent.file_status import leads_elsewhere
from agent.paths import WINDOWS, PathRejected, split
from agent.private import OWN
from agent.wire.message import message


class Found(NamedTuple):
    """What is at a path: ``kind`` is file, folder, link or other."""

    kind: str
    size: int
    mtime_ns: int
    executable: bool


class Tree:
    """The files below ``root`` (as from :func:`agent.paths.project_root`).

    ``fold`` maps names that this system takes for the same to the same.
    """

    def __init__(self, root: str, fold: Optional[Callable[[str], str]] = None) -> None:
        self.root = root
        self.fold = fold or (str.casefold if WINDOWS else str)
        self._folders: Dict[Tuple[str, ...], Optional[Dict[str, os.DirEntry[str]]]] = {}

    def place(self, path: str) -> str:
        """Return where ``path`` is in the file system; raises PathRejected, also for one through a link."""
        parts = self._parts(path)
        self._folder(tuple(parts[:-1]), path)
        return os.path.join(self.root, *parts)

    def find(self, path: str) -> Optional[Found]:
        """Return what is at ``path``, None when nothing is, or only a name that differs in case.

        Raises PathRejected.
        """
        parts = self._parts(path)
        folder = self._folder(tuple(parts[:-1]), path)
        entry = folder.get(self.fold(parts[-1])) if folder else None
        if entry is None or entry.name != parts[-1]:
            return None
        try:
            return _found(entry)
        except FileNotFoundError:  # removed since the folder was read
            return None

    def blocker(self, path: str) -> Optional[str]:
        """Return the file that is where ``path`` needs a folder, None without one."""
        parts = self._parts(path)
        for length in range(1, len(parts)):
            folder = self._folder(tuple(parts[: length - 1]), path)
            entry = folder.get(self.fold(parts[length - 1])) if folder else None
            if entry is not None and _found(entry).kind != "folder":
                return "/".join([*parts[: length - 1], entry.name])
        return None

    def below(self, path: str) -> Iterator[str]:
        """Yield the paths of all files in the folder ``path`` and its subfolders."""
        top = os.path.join(self.root, *self._parts(path))
        for folder, names, files in os.walk(top):
            links = [name for name in names if os.path.islink(os.path.join(folder, name))]
            for name in files + links:
                yield os.path.relpath(os.path.join(folder, name), self.root).replace(os.sep, "/")

    def all_files(self) -> Iterator[str]:
        """Yield the paths of all files and links below the root, but for dtui's own folder."""
        for folder, names, files in os.walk(self.root):
            if folder == self.root:
                names[:] = [name for name in names if name.casefold() != OWN]
            links = [name for name in names if os.path.islink(os.path.join(folder, name))]
            for name in files + links:
                yield os.path.relpath(os.path.join(folder, name), self.root).replace(os.sep, "/")

    def _parts(self, path: str) -> List[str]:
        parts = split(path)
        if parts[0].casefold() == OWN:
            raise PathRejected(
                path, message("path.in-own-folder", "{path!r} is in dtui's own folder", path=path)
            )
        return parts

    def _folder(self, parts: Tuple[str, ...], path: str) -> Optional[Dict[str, os.DirEntry[str]]]:
        """Return a folder's entries by folded name, None when there is no such folder."""
        if parts in self._folders:
            return self._folders[parts]
        listing: Optional[Dict[str, os.DirEntry[str]]] = None
        if parts:
            above = self._folder(parts[:-1], path)
            entry = above.get(self.fold(parts[-1])) if above else None
            kind = _found(entry).kind if entry is not None else "missing"
            if kind == "link":
                raise PathRejected(
                    path,
                    message(
                        "path.through-link",
                        "{path!r} leads through {link!r}, which is a symbolic link or junction on the node",
                        path=path,
                        link="/".join(parts),
                    ),
                )
            exists = kind == "folder"
        else:
            exists = True
        if exists:
            try:
                with os.scandir(os.path.join(self.root, *parts)) as entries:
                    listing = {self.fold(entry.name): entry for entry in entries}
            except (FileNotFoundError, NotADirectoryError):
                listing = None
        self._folders[parts] = listing
        return listing


def _found(entry: os.DirEntry[str]) -> Found:
    status = entry.stat(follow_symlinks=False)
    if leads_elsewhere(status):
        kind = "link"
    elif stat.S_ISREG(status.st_mode):
        kind = "file"
    elif stat.S_ISDIR(status.st_mode):
        kind = "folder"
    else:
        kind = "other"
    return Found(kind, status.st_size, status.st_mtime_ns, bool(status.st_mode & stat.S_IXUSR))
