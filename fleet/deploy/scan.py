"""The files of a project on the master that a deploy copies."""

from __future__ import annotations

import os
import stat
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from msgspec import Struct

from agent.wire.message import EMPTY, Message, message
from agent.wire.reasons import system_reason
from fleet.deploy.ignore import GIT_IGNORE_FILE, IGNORE_FILE, INVENTORY, Excluder, IgnoreRules
from fleet.deploy.run_outputs import Window, Written, written_by_runs
from fleet.deploy.setup_files import made_by_setup


class SourceFile(NamedTuple):
    """A file as it was seen: ``path`` relative with ``/``; ``executable`` None where no such bit is."""

    path: str
    size: int
    mtime_ns: int
    executable: int | None


class Finding(Struct, frozen=True):
    """A problem with one path: ``what`` is wrong, a message that begins with it, and the ``remedy``."""

    path: str
    what: Message
    remedy: Message = EMPTY


class Excluded(Struct, frozen=True):
    """A file or folder that stays on the master, with its size."""

    path: str
    excluder: Excluder
    files: int
    size: int
    #: False: the folder has more than was counted.
    complete: bool = True


class Scan(Struct, frozen=True, kw_only=True):
    """A project's files, sorted by path."""

    root: Path
    rules: IgnoreRules
    files: tuple[SourceFile, ...] = ()
    #: What makes a deploy impossible.
    faults: tuple[Finding, ...] = ()
    #: What can't be deployed.
    left_out: tuple[Finding, ...] = ()
    #: What rules exclude, but for what no node needs; only with ``measure``.
    excluded: tuple[Excluded, ...] = ()
    #: Files that are not deployed since they keep changing.
    changing: tuple[str, ...] = ()
    #: Files that runs have written.
    outputs: frozenset[str] = frozenset()
    #: What precedes the paths where ``rules`` are asked: of data in the project, the path of its folder.
    prefix: str = ""

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(file.size for file in self.files)

    def may_delete(self, path: str) -> bool:
        """Return whether a file that an earlier deploy copied, and that this scan lacks, is to be deleted.

        A file that is excluded now may still be needed on the node: data, for example.
        """
        if path in self.changing or path in self.outputs:
            return False
        path = self.prefix + path
        return self.rules.withholds(path) or not self.rules.excludes_file(path)


def scan(
    root: Path,
    *,
    inventory: Path | None = None,
    data: str | None = None,
    required: Collection[str] = (),
    changing: Collection[str] = (),
    outputs: Iterable[str] = (),
    windows: Sequence[Window] = (),
    measure: bool = False,
) -> Scan:
    """Read the tree in ``root``. Blocks; what can't be read becomes a fault, and nothing is raised.

    ``inventory`` is the inventory's file, which stays on the master wherever it is in the project, and
    ``data`` the path of the data folder in the project. A .gitignore does not exclude files that are
    ``required`` for a run. Left out are files that are known to be ``changing``, those of the patterns
    ``outputs``, and what runs have written in their ``windows``. ``measure`` sums up what rules exclude.
    """
    root = root.resolve()
    walk = _Walk(root, frozenset(changing), measure=measure)
    try:
        walk.rules = IgnoreRules.read(
            root,
            withheld=_withheld(root, inventory),
            made=made_by_setup(root),
            ignore_case=os.name == "nt",
            data=data,
            outputs=outputs,
        )
        files = {file.path: file for file in walk.folder("", root)}
        for path in required:
            if path not in files and walk.rules.excluder_of_file(path) == GIT_IGNORE_FILE:
                files.update((file.path, file) for file in walk.required(path))
        written = written_by_runs(
            root,
            (Written(file.path, file.mtime_ns) for file in files.values()),
            windows,
            lambda path: path in required or walk.rules.insists_on(path),
        )
        excluded = [Excluded(path, "outputs", 1, files.pop(path).size) for path in sorted(written)]
    except OSError as error:  # of the rules: what is wrong with a folder is a fault of the walk
        walk.faults.append(Finding(IGNORE_FILE, _not_readable(IGNORE_FILE, error)))
        files, excluded = {}, []
    if not files and not walk.faults:
        walk.faults.append(
            Finding(
                str(root),
                message("deploy.no-files", "{folder!r} has no files to deploy", folder=str(root)),
                message("deploy.no-files.remedy", "check the project's path, .gitignore and .dtuiignore"),
            )
        )
    return Scan(
        root=root,
        rules=walk.rules,
        files=tuple(sorted(files.values())),
        faults=tuple(walk.faults),
        left_out=tuple(walk.left_out),
        excluded=(*walk.excluded, *excluded),
        outputs=frozenset(one.path for one in excluded),
        changing=tuple(sorted(walk.changing)),
    )


def scan_data(root: Path, project: Path, inside: str | None, *, changing: Collection[str] = ()) -> Scan:
    """Read all files in the data folder ``root``, whatever their names. Blocks; nothing is raised.

    ``inside`` is its path in the project, whose ``.dtuiignore`` then applies. Links to files are followed
    wherever they lead, since their owner calls them data.
    """
    root = root.resolve()
    walk = _Walk(root, frozenset(changing), measure=False, data=True)
    files: list[SourceFile] = []
    try:
        walk.rules = IgnoreRules.of_data(project if inside is not None else None)
        walk.prefix = f"{inside}/" if inside is not None else ""
        if inside is None or not walk.rules.excludes_folder(inside):
            files = sorted(walk.folder("", root))
    except OSError as error:
        walk.faults.append(Finding(".", _not_readable(".", error)))
    return Scan(
        root=root,
        rules=walk.rules,
        prefix=walk.prefix,
        files=tuple(files),
        faults=tuple(walk.faults),
        left_out=tuple(walk.left_out),
        changing=tuple(sorted(walk.changing)),
    )


def _withheld(root: Path, inventory: Path | None) -> list[str]:
    """Return the inventories' paths in the project: the usual one, and the one in use."""
    found = [INVENTORY]
    for path in (inventory.absolute(), inventory.resolve()) if inventory is not None else ():
        if path.is_relative_to(root):
            found.append(path.relative_to(root).as_posix())
    return found


#: In the top folder of every virtual environment.
_VENV = "pyvenv.cfg"


#: Entries of excluded folders that are counted for all of them together.
_MOST_MEASURED = 50_000


class _Walk:
    def __init__(
        self, root: Path, known_to_change: frozenset[str], *, measure: bool, data: bool = False
    ) -> None:
        self.root = root
        self._data = data
        #: As of Scan.
        self.prefix = ""
        self.rules = IgnoreRules()
        self.faults: list[Finding] = []
        self.left_out: list[Finding] = []
        self.excluded: list[Excluded] = []
        self.changing: list[str] = []
        self._known_to_change = known_to_change
        self._measurable = _MOST_MEASURED if measure else 0

    def folder(self, prefix: str, place: Path | str) -> Iterator[SourceFile]:
        try:
            with os.scandir(place) as listing:
                entries = list(listing)
            if not self._data and any(entry.name == GIT_IGNORE_FILE for entry in entries):
                self.rules.read_folder(prefix, place)
        except OSError as error:
            if not (prefix and isinstance(error, FileNotFoundError)):  # else deleted meanwhile
                self._unreadable(prefix.rstrip("/") or ".", error)
            return
        if prefix and not self._data and any(entry.name == _VENV for entry in entries):
            what = message(
                "deploy.venv", "{path!r} is a virtual environment of this machine", path=prefix[:-1]
            )
            self.left_out.append(Finding(prefix[:-1], what))
            return
        for entry in entries:
            path = prefix + entry.name
            try:
                is_folder = entry.is_dir(follow_symlinks=False) and not _is_junction(entry)
            except FileNotFoundError:
                continue
            except OSError as error:
                self._unreadable(path, error)
                continue
            if excluder := self.rules.excluder(self.prefix + path, folder=is_folder):
                self._exclude(path, entry, excluder, folder=is_folder)
                continue
            if not _is_text(path):
                shown = path.encode("utf-8", "backslashreplace").decode()
                what = message("deploy.not-utf-8", "{path!r} has a name that is not valid UTF-8", path=shown)
                remedy = message("deploy.not-utf-8.remedy", "rename the files whose names are not UTF-8")
                self.faults.append(Finding(shown, what, remedy))
            elif is_folder:
                yield from self.folder(path + "/", entry.path)
            else:
                yield from self._file(path, entry)

    def required(self, path: str) -> Iterator[SourceFile]:
        """Yield the file, if it is there, whatever a .gitignore excludes."""
        above, _, name = path.rpartition("/")
        with suppress(FileNotFoundError, NotADirectoryError), os.scandir(self.root / above) as entries:
            for entry in entries:
                if entry.name == name and not entry.is_dir():
                    yield from self._file(path, entry)

    def _exclude(self, path: str, entry: os.DirEntry[str], excluder: Excluder, *, folder: bool) -> None:
        if self._measurable <= 0 or excluder in ("tools", "inventory", "setup", "data"):
            return
        files = size = 0
        for one in files_below(entry.path) if folder else [entry]:
            self._measurable -= 1
            if self._measurable < 0:
                break
            with suppress(OSError):
                size += one.stat(follow_symlinks=False).st_size
                files += 1
        shown = path.encode("utf-8", "backslashreplace").decode()
        self.excluded.append(Excluded(shown, excluder, files, size, complete=self._measurable >= 0))

    def _file(self, path: str, entry: os.DirEntry[str]) -> Iterator[SourceFile]:
        try:
            if entry.is_symlink() or _is_junction(entry):
                reason = self._reason_not_to_follow(path, entry)
                if reason:
                    remedy = message("deploy.link.remedy", "copy the link's target into the project")
                    self.left_out.append(Finding(path, reason, remedy))
                    return
            # On Windows a DirEntry's own status can be out of date, as for a file with two names.
            status = Path(entry.path).stat() if os.name == "nt" else entry.stat()
            if not stat.S_ISREG(status.st_mode):
                what = message("deploy.not-a-regular-file", "{path!r} is not a regular file", path=path)
                self.left_out.append(Finding(path, what))
                return
            if not os.access(entry.path, os.R_OK, effective_ids=os.access in os.supports_effective_ids):
                raise PermissionError(13, "Permission denied")
        except FileNotFoundError:
            return  # gone since the folder was read
        except OSError as error:
            self._unreadable(path, error)
            return
        if path in self._known_to_change:
            self.changing.append(path)
            return
        executable = int(bool(status.st_mode & stat.S_IXUSR)) if os.name == "posix" else None
        yield SourceFile(path, status.st_size, status.st_mtime_ns, executable)

    def _reason_not_to_follow(self, path: str, entry: os.DirEntry[str]) -> Message:
        target = Path(entry.path)
        try:
            real = target.resolve(strict=True)
        except (OSError, RuntimeError):
            return message("deploy.broken-link", "{path!r} is a link whose target does not exist", path=path)
        if not self._data and not real.is_relative_to(self.root):
            return message(
                "deploy.link-outside",
                "{path!r} is a link to {target}, outside of the project",
                path=path,
                target=str(real),
            )
        return (
            message("deploy.link-to-folder", "{path!r} is a link to a folder", path=path)
            if real.is_dir()
            else EMPTY
        )

    def _unreadable(self, path: str, error: OSError) -> None:
        remedy = (
            message(
                "deploy.data-unreadable.remedy", "change its permissions, or move it out of the data folder"
            )
            if self._data
            else message("deploy.unreadable.remedy", "change its permissions or list it in .dtuiignore")
        )
        self.faults.append(Finding(path, _not_readable(path, error), remedy))


def files_below(folder: str) -> Iterator[os.DirEntry[str]]:
    """Yield every file below a folder, in any order; links are not followed, and faults are passed over."""
    pending = [folder]
    while pending:
        try:
            with os.scandir(pending.pop()) as entries:
                for entry in entries:
                    if entry.is_dir(follow_symlinks=False) and not _is_junction(entry):
                        pending.append(entry.path)
                    else:
                        yield entry
        except OSError:
            continue


def _not_readable(path: str, error: OSError) -> Message:
    return message(
        "deploy.unreadable", "{path!r} can't be read: {error}", path=path, error=system_reason(error)
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
