"""Put a staged deploy into place, so that the tree is the old one or the new one, never a mixture.

A journal names every change before the first is made. What is replaced or deleted is first moved
aside. If the agent dies in between, the next operation on the project finishes the work; if a file
can't be replaced (Windows: a program has it open), everything is put back.
"""

from __future__ import annotations

import errno
import os
import posixpath
import stat
import time
from contextlib import suppress
from typing import List, NamedTuple, Sequence, Tuple

from agent import durable
from agent.private import OWN, make_folder
from agent.tree.format import file_digest
from agent.tree.record import Record, path_in, to_json
from agent.tree.staging import Staging, digests_of

_JOURNAL = "journal.json"
_RECORD = "record.json"
_ASIDE = "aside-"


class Journal(NamedTuple):
    """The changes of one commit; all paths have passed Tree.place."""

    #: Staged name, path, digest.
    moves: Sequence[Tuple[str, str, str]]
    deletes: Sequence[str]
    #: Folder within the staging for what is replaced or deleted.
    aside: str
    #: What a new file of the project gets from the umask; staged files are their owner's alone.
    mode: int


class CommitFailed(Exception):
    """``path`` could not be changed, because of ``error``; the old tree is back in place."""

    def __init__(self, path: str, error: OSError) -> None:
        super().__init__(f"{path}: {error.strerror or error}")
        self.path = path
        self.error = error


def commit(root: str, moves: Sequence[Tuple[str, str, str]], deletes: Sequence[str], record: Record) -> None:
    """Move staged files (name, path, digest) into place and delete ``deletes``.

    ``record`` describes the tree afterwards. Raises CommitFailed, and OSError when not even the
    journal could be written.
    """
    staging = Staging(root)
    aside = f"{_ASIDE}{time.time_ns():x}"
    # Everything that needs room happens before the journal: after it, a full disk does no harm.
    try:
        make_folder(staging.place(aside))
        journal = Journal(moves, deletes, aside, staging.usual_mode())
        _make_folders(root, journal)
        durable.write_json(staging.place(_RECORD), to_json(record))
        durable.write_json(staging.place(_JOURNAL), journal._asdict())
    except OSError:
        _remove_empty_folders(root, [path for _, path, _ in moves])
        raise
    _finish(root, staging, journal)


def recover(root: str) -> bool:
    """Finish or undo a commit that was cut short; return whether there was one.

    The caller holds the folder's Lock. Raises OSError, CommitFailed.
    """
    staging = Staging(root)
    noted = durable.read_json(staging.place(_JOURNAL), durable.LARGEST_LIST)
    if noted is None:
        staging.discard(_ASIDE)
        return False
    # A journal of an older version has no mode.
    mode = int(noted.get("mode", 0o644))
    journal = Journal([tuple(move) for move in noted["moves"]], noted["deletes"], noted["aside"], mode)
    if all(_intact(staging, name, digest) for name, _, digest in journal.moves):
        _finish(root, staging, journal)
    else:
        # A power cut can lose contents that were never flushed, long after the journal was.
        _undo(root, staging, journal)
        staging.discard()
    return True


def _intact(staging: Staging, name: str, digest: str) -> bool:
    path = staging.place(name)
    try:
        return file_digest(digests_of(path, os.lstat(path).st_size)) == digest
    except FileNotFoundError:
        return True  # in place already
    except OSError:
        return False


def _make_folders(root: str, journal: Journal) -> None:
    going = set(journal.deletes)
    for folder in sorted({posixpath.dirname(path) for _, path, _ in journal.moves}):
        if not going.intersection(_chain(folder)):
            os.makedirs(_place(root, folder), exist_ok=True)


def _finish(root: str, staging: Staging, journal: Journal) -> None:
    path = ""
    aside = staging.place(journal.aside)
    try:
        for number, path in enumerate(journal.deletes):
            _set_aside(_place(root, path), os.path.join(aside, f"delete-{number}"))
        _remove_empty_folders(root, journal.deletes)
        made = set()
        for number, (name, path, _) in enumerate(journal.moves):
            staged, target = staging.place(name), _place(root, path)
            if os.path.lexists(staged):
                _set_aside(target, os.path.join(aside, f"move-{number}"))
                folder = os.path.dirname(target)
                if folder not in made:
                    os.makedirs(folder, exist_ok=True)
                    made.add(folder)
                staging.release(name, journal.mode)
                durable.replace(staged, target)
        path = f"{OWN}/{os.path.basename(path_in(root))}"
        if os.path.lexists(staging.place(_RECORD)):
            durable.replace(staging.place(_RECORD), path_in(root))
    except OSError as error:
        _undo(root, staging, journal)
        raise CommitFailed(path, error) from error
    durable.remove(staging.place(_JOURNAL))
    staging.discard()


def _undo(root: str, staging: Staging, journal: Journal) -> None:
    aside = staging.place(journal.aside)
    for number, (name, path, _) in reversed(list(enumerate(journal.moves))):
        staged, target = staging.place(name), _place(root, path)
        if not os.path.lexists(staged) and os.path.lexists(target):
            durable.replace(target, staged)
        _bring_back(os.path.join(aside, f"move-{number}"), target)
    _remove_empty_folders(root, [path for _, path, _ in journal.moves])
    for number, path in enumerate(journal.deletes):
        _bring_back(os.path.join(aside, f"delete-{number}"), _place(root, path))
    durable.remove(staging.place(_JOURNAL))
    staging.discard(_ASIDE)


def _set_aside(target: str, aside: str) -> None:
    try:
        status = os.lstat(target)
    except (FileNotFoundError, NotADirectoryError):
        return
    if os.path.lexists(aside):
        return  # done before the crash that we recover from
    if stat.S_ISDIR(status.st_mode):
        raise IsADirectoryError(errno.EISDIR, "a folder is in the way", target)
    durable.replace(target, aside)


def _bring_back(aside: str, target: str) -> None:
    if os.path.lexists(aside):
        os.makedirs(os.path.dirname(target), exist_ok=True)
        durable.replace(aside, target)


def _remove_empty_folders(root: str, paths: Sequence[str]) -> None:
    """Remove the folders of ``paths`` that have nothing in them any more, from the innermost out."""
    folders = {folder for path in paths for folder in _chain(posixpath.dirname(path))}
    for folder in sorted(folders, key=len, reverse=True):
        with suppress(OSError):  # not empty, or removed
            os.rmdir(_place(root, folder))


def _chain(folder: str) -> List[str]:
    """Return a folder's path and those of all folders around it, up to but without the root."""
    parts = folder.split("/") if folder else []
    return ["/".join(parts[:length]) for length in range(1, len(parts) + 1)]


def _place(root: str, path: str) -> str:
    return os.path.join(root, *path.split("/")) if path else root
