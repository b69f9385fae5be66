"""Digests of the master's files, kept by size and time so that an unchanged file is read once."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from agent.tree.format import file_digest, read_digests
from agent.wire.frames import parse_json
from fleet.deploy.scan import Scan, SourceFile
from fleet.file_replacement import replace_file
from fleet.private_files import LARGEST_LIST, make_folder, read_private
from transports.regular_files import open_file

#: A file changed within this time before it was read may change again without a new time stamp.
_RACY_NS = 2_000_000_000


class Digests:
    """Digests of files below ``root``, kept in the file ``store``. ``clock`` gives Unix seconds."""

    def __init__(self, root: Path, store: Path, clock: Callable[[], float]) -> None:
        self._root = root
        self._store = store
        self._clock = clock
        self._known = _load(store)
        self._changed = False
        self._running: dict[tuple[SourceFile, int], asyncio.Task[str]] = {}

    async def of(self, file: SourceFile, length: int | None = None) -> str:
        """Return the digest (agent.tree.format) of a file's first ``length`` bytes, of all without it.

        Raises OSError or EOFError when it can't be read or has become shorter. Asked by several nodes
        at once it reads once.
        """
        size = file.size if length is None else length
        known = self._known.get(file.path)
        if size == file.size and known is not None and known[:2] == (file.size, file.mtime_ns):
            return known[2]
        running = self._running.get((file, size))
        if running is None:
            running = asyncio.create_task(asyncio.to_thread(_read, self._root / file.path, size))
            self._running[file, size] = running
            running.add_done_callback(lambda _: self._running.pop((file, size), None))
        digest = await asyncio.shield(running)
        if size == file.size and self._clock() * 1e9 - file.mtime_ns > _RACY_NS:
            self._known[file.path] = (file.size, file.mtime_ns, digest)
            self._changed = True
        return digest

    def save(self, scan: Scan) -> None:
        """Save the digests of the files in ``scan``. Errors are ignored, since the store only saves time."""
        if not self._changed:
            return
        paths = {file.path for file in scan.files}
        lines = {path: entry for path, entry in self._known.items() if path in paths}
        with suppress(OSError):
            make_folder(self._store.parent)
            replace_file(self._store, json.dumps(lines).encode("utf-8"))


def _read(path: Path, length: int) -> str:
    with open_file(path) as file:
        return file_digest(read_digests(file.read, length))


def _load(store: Path) -> dict[str, tuple[int, int, str]]:
    try:
        lines = parse_json(read_private(store, LARGEST_LIST))
        if not isinstance(lines, dict):
            return {}
        return {path: (int(size), int(mtime), str(digest)) for path, (size, mtime, digest) in lines.items()}
    except (OSError, ValueError, TypeError):
        return {}
