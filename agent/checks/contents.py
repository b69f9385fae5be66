"""Digests of what training reads, cheap enough for many gigabytes: all names and sizes, some contents."""

from __future__ import annotations

import hashlib
import os
from typing import Any, Callable, Dict, Iterator, List, Tuple

from agent.private import OWN, regular
from agent.wire.preflight import FolderDigest

#: Folders that are listed one by one, so that the user sees where a difference is.
_MOST_FOLDERS = 200


def files_below(folder: str) -> Iterator[Tuple[str, int]]:
    """Yield path (relative, with ``/``) and size of every file, in any order.

    Links to folders are not followed, and dtui's own folder is passed over.
    """
    pending = [("", folder)]
    while pending:
        prefix, place = pending.pop()
        try:
            entries = list(os.scandir(place))
        except OSError:
            continue
        for entry in entries:
            name = prefix + entry.name
            if name == OWN:
                continue
            if entry.is_dir(follow_symlinks=False):
                pending.append((name + "/", entry.path))
            elif entry.is_file():
                yield name, entry.stat().st_size


def folder_digest(folder: str, budget: int, stop: Callable[[], bool]) -> FolderDigest:
    """Return counts and digests of a folder; of the contents ``budget`` bytes are read.

    Which files are read follows from their names, so that folders with the same names are compared by the
    same files. ``folders`` maps each subfolder to ``[files, bytes, digest of names and sizes]``.
    """
    listing = sorted(files_below(folder))
    names = hashlib.blake2b(digest_size=16)
    paths = hashlib.blake2b(digest_size=16)
    folders: Dict[str, List[Any]] = {}
    for path, size in listing:
        name = path.encode("utf-8", "surrogateescape")
        line = b"%s\0%d\n" % (name, size)
        names.update(line)
        paths.update(name + b"\0")
        entry = folders.setdefault(path.rpartition("/")[0], [0, 0, hashlib.blake2b(digest_size=8)])
        entry[0] += 1
        entry[1] += size
        entry[2].update(line)
    contents, read, differing = _contents(folder, listing, budget, stop)
    named = sorted(folders)[:_MOST_FOLDERS]
    return {
        "exists": os.path.isdir(folder),
        "files": len(listing),
        "bytes": sum(size for _, size in listing),
        "names": names.hexdigest(),
        "paths": paths.hexdigest(),
        "contents": contents,
        "read": read,
        "sampled": differing,
        "folders": {
            name: (folders[name][0], folders[name][1], folders[name][2].hexdigest()) for name in named
        },
    }


def _contents(
    folder: str, listing: List[Tuple[str, int]], budget: int, stop: Callable[[], bool]
) -> Tuple[str, int, Dict[str, str]]:
    """Return digest, bytes read, and the digests of the first files that were read, for naming one."""
    chosen = sorted(listing, key=lambda item: hashlib.blake2b(os.fsencode(item[0]), digest_size=8).digest())
    whole = hashlib.blake2b(digest_size=16)
    single: Dict[str, str] = {}
    read = 0
    for path, size in chosen:
        if read >= budget or stop():
            break
        part = min(size, budget - read)
        digest = file_part(os.path.join(folder, path), part)
        whole.update(digest.encode("ascii"))
        read += part
        if len(single) < 2000:
            single[path] = digest[:12]
    return whole.hexdigest(), read, single


def file_part(path: str, length: int) -> str:
    """Return the digest of a file's first ``length`` bytes; ``unreadable`` when it can't be read."""
    state = hashlib.blake2b(digest_size=16)
    try:
        with open(path, "rb", opener=regular) as file:
            while length > 0:
                block = file.read(min(length, 1 << 20))
                if not block:
                    break
                state.update(block)
                length -= len(block)
    except OSError:
        return "unreadable"
    return state.hexdigest()


def text_digest(path: str, limit: int) -> str:
    """Return the digest of a small file; ``missing`` when there is none, ``large`` over the limit."""
    try:
        if os.path.getsize(path) > limit:
            return "large"
    except OSError:
        return "missing"
    return file_part(path, limit)
