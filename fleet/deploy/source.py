"""The master's side of a deploy, shared by all its nodes: the scan, digests and prepared contents."""

from __future__ import annotations

import asyncio
import socket
import uuid
from collections import Counter
from collections.abc import Callable, Collection, Hashable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import Self, TypeVar

from agent.private import MARK, OWN
from fleet.deploy.chunks import ChunkSource
from fleet.deploy.digests import Digests
from fleet.deploy.scan import Scan
from fleet.private_files import make_folder, open_private

T = TypeVar("T", bound=Hashable)

#: A file that has changed so often since the deploy began is left out.
_MAX_CHANGES = 2
#: After so many scans every file that changes is left out at once.
_MAX_SCANS = 6


class Source:
    """A folder to copy: the project, or its data. Use as ``async with``.

    ``read`` scans it, without the given files, which keep changing. While it is open, the folder's ``.dtui``
    has a marker file. A node that finds it in its own folder has the source of the deploy itself: it is the
    master, or the folder is a network share.
    """

    def __init__(
        self,
        root: Path,
        *,
        store: Path,
        clock: Callable[[], float],
        cache: int,
        read: Callable[[Collection[str]], Scan],
        nodes: Collection[str] = (),
    ) -> None:
        self.root = root.resolve()
        self.deploy = uuid.uuid4().hex
        self.marker = f"deploying-{self.deploy}"
        #: This machine and the folder: nodes record the origin of their project.
        self.origin = f"{socket.gethostname()}:{self.root}"
        self.digests = Digests(self.root, store, clock)
        self._cache = cache
        self._read = read
        #: Those that take part in the deploy.
        self.nodes = frozenset(nodes)
        self._latest: ChunkSource | None = None
        self._changes: Counter[str] = Counter()
        self._scans = 0
        self._made = False
        self._finished: dict[str, asyncio.Future[bool]] = {}
        self._reported: set[Hashable] = set()
        self._turn = asyncio.Lock()

    async def __aenter__(self) -> Self:
        with suppress(OSError):  # without the marker the node compares the files, and finds no difference
            if self.root.is_dir():
                self._made = not (self.root / OWN).exists()
                make_folder(self.root / OWN)
                open_private(self.root / OWN / self.marker, "a").close()
        return self

    async def __aexit__(self, *_: object) -> None:
        with suppress(OSError):
            (self.root / OWN / self.marker).unlink()
        if self._made:
            own = self.root / OWN
            with suppress(OSError):
                if [path.name for path in own.iterdir()] == [MARK]:
                    (own / MARK).unlink()
                    own.rmdir()
        if self._latest is not None:
            self.digests.save(self._latest.scan)

    async def latest(self, stale: ChunkSource | None = None, changed: str = "") -> ChunkSource:
        """Return the contents as last scanned; scan first when that is none or the ``stale`` one.

        There the file ``changed`` was not as scanned. Files that change from scan to scan are left out.
        """
        async with self._turn:
            if self._latest is None or self._latest is stale:
                seen = await asyncio.to_thread(self._scan)
                if stale is not None:
                    self._count_changes(stale.scan, seen, changed)
                    if self._changing - {*seen.changing}:
                        seen = await asyncio.to_thread(self._scan)
                self._latest = ChunkSource(seen, self._cache)
            return self._latest

    def finish(self, node: str, *, ok: bool) -> None:
        """Note that a node's copy has ended."""
        self._finished.setdefault(node, asyncio.get_running_loop().create_future()).set_result(ok)

    async def finished(self, node: str) -> bool:
        """Wait for the end of a node's copy, and return whether it succeeded."""
        return await asyncio.shield(
            self._finished.setdefault(node, asyncio.get_running_loop().create_future())
        )

    def unreported(self, facts: Iterable[T]) -> list[T]:
        """Return those of the facts about the project that no node has reported yet."""
        new = [fact for fact in facts if fact not in self._reported]
        self._reported.update(new)
        return new

    @property
    def _changing(self) -> set[str]:
        most = _MAX_CHANGES if self._scans < _MAX_SCANS else 1
        return {path for path, changes in self._changes.items() if changes >= most}

    def _scan(self) -> Scan:
        self._scans += 1
        return self._read(self._changing)

    def _count_changes(self, before: Scan, after: Scan, changed: str) -> None:
        states = {file.path: (file.size, file.mtime_ns) for file in before.files}
        self._changes.update(
            file.path
            for file in after.files
            if file.path == changed
            or states.get(file.path, (file.size, file.mtime_ns)) != (file.size, file.mtime_ns)
        )
