"""The master's side of a deploy, shared by all its nodes: the scan, digests and prepared contents."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Self

from fleet.deploy.chunks import ChunkSource
from fleet.deploy.digests import Digests
from fleet.deploy.ignore import OWN
from fleet.deploy.scan import scan


class Source:
    """The project in ``root``. Use as ``async with``.

    While it is open a marker file lies in the project's ``.dtui``. A node that finds it there has the
    very folder that is being deployed, however it came by it: the master itself, or a network share.
    """

    def __init__(self, root: Path, *, store: Path, clock: Callable[[], float], cache: int) -> None:
        self.root = root.resolve()
        self.deploy = uuid.uuid4().hex
        self.marker = f"deploying-{self.deploy}"
        self.digests = Digests(self.root, store, clock)
        self._cache = cache
        self._latest: ChunkSource | None = None
        self._turn = asyncio.Lock()

    async def __aenter__(self) -> Self:
        with suppress(OSError):  # then it can't be told, and comparing shows no difference anyway
            if self.root.is_dir():
                (self.root / OWN).mkdir(exist_ok=True)
                (self.root / OWN / self.marker).touch()
        return self

    async def __aexit__(self, *_: object) -> None:
        with suppress(OSError):
            (self.root / OWN / self.marker).unlink()
        if self._latest is not None:
            self.digests.save(self._latest.scan)

    async def latest(self, stale: ChunkSource | None = None) -> ChunkSource:
        """Return the contents as last scanned; scan first when that is none or the ``stale`` one."""
        async with self._turn:
            if self._latest is None or self._latest is stale:
                self._latest = ChunkSource(await asyncio.to_thread(scan, self.root), self._cache)
            return self._latest
