"""Take a deploy's contents from the upload into the staging folder, each block verified."""

from __future__ import annotations

import os
import stat
import zlib
from dataclasses import dataclass
from functools import cached_property
from typing import BinaryIO, Dict, List, Optional, Sequence, Tuple

from agent.tree.format import BLOCK, block_digest, file_digest
from agent.tree.staging import Staging, digests_of, key
from agent.wire.deploy import PlannedFile
from agent.wire.message import Message, message


class Damaged(Exception):
    """The received contents do not match the console's plan; ``message`` describes the difference."""

    def __init__(self, message: Message) -> None:
        super().__init__(message)
        self.message = message


@dataclass(frozen=True)
class Incoming:
    """A file of the plan. Contents up to ``start`` are staged; ``digest`` is given when that is all."""

    path: str
    size: int
    mtime_ns: int
    executable: Optional[int]
    start: int
    digest: str

    @cached_property
    def name(self) -> str:
        """Its name in the staging folder."""
        return key(self.path, self.size, self.mtime_ns)


class Receiver:
    """Writes ``files`` in their order; their pieces must arrive in the same order."""

    def __init__(self, staging: Staging, files: Sequence[Incoming]) -> None:
        self._staging = staging
        self._files = files
        #: The digests of files that are complete, by path.
        self.digests: Dict[str, str] = {}
        self._current = -1
        self._file: Optional[BinaryIO] = None
        self._blocks: List[str] = []
        self._written = 0
        for file in files:
            if file.digest and file.start == file.size:
                # The agent may have died between its last block and its time.
                self._dress(file)
                self.digests[file.path] = file.digest

    def write(self, segments: Sequence[Tuple[int, int, str]], data: bytes, compressed: bool) -> None:
        """Take one piece: for each segment the file's number, its length and its digest.

        Raises Damaged, OSError.
        """
        total = sum(length for _, length, _ in segments)
        if compressed:
            data = _decompress(data, total)
        if len(data) != total:
            raise Damaged(
                message(
                    "deploy.piece-of-another-size",
                    "received a piece of {size} bytes instead of {expected}",
                    size=len(data),
                    expected=total,
                )
            )
        view, at = memoryview(data), 0
        for number, length, digest in segments:
            block = view[at : at + length]
            at += length
            if block_digest(block) != digest:  # type: ignore[arg-type]  # any buffer will do
                path = self._files[number].path
                raise Damaged(
                    message("deploy.contents-damaged", "contents of {path!r} arrived damaged", path=path)
                )
            self._write(number, block, digest)

    def missing(self) -> List[str]:
        """Return the paths of files that are not complete."""
        return [file.path for file in self._files if file.path not in self.digests]

    def close(self) -> None:
        """Close the file being written; what has arrived of it stays staged."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def _write(self, number: int, block: memoryview, digest: str) -> None:
        file = self._files[number]
        if self._file is None or number != self._current:
            self._begin(number, file)
        assert self._file is not None
        end = self._written + len(block)
        if end > file.size or (end < file.size and len(block) != BLOCK):
            raise Damaged(
                message(
                    "deploy.other-contents",
                    "received more or other contents of {path!r} than announced",
                    path=file.path,
                )
            )
        self._file.write(block)
        self._written = end
        self._blocks.append(digest)
        if self._written == file.size:
            self.close()
            self._dress(file)
            self.digests[file.path] = file_digest(self._blocks)

    def _begin(self, number: int, file: Incoming) -> None:
        if self._file is not None or file.path in self.digests:
            raise Damaged(
                message("deploy.out-of-order", "received contents out of order at {path!r}", path=file.path)
            )
        # The console has verified what is staged; the digests of its blocks are needed again here.
        self._blocks = digests_of(self._staging.place(file.name), file.start) if file.start else []
        self._file = self._staging.open_at(file.name, file.start)
        self._current, self._written = number, file.start

    def _dress(self, file: Incoming) -> None:
        dress(self._staging.place(file.name), file.mtime_ns, file.executable)


def dress(path: str, mtime_ns: int, executable: Optional[int]) -> None:
    """Give a file its time and, on POSIX, its executable bit for all who may read it; raises OSError."""
    if executable is not None and os.name != "nt":
        mode = stat.S_IMODE(os.lstat(path).st_mode)
        readers = (mode & 0o444) >> 2
        wanted = mode | readers if executable else mode & ~0o111
        if wanted != mode:
            os.chmod(path, wanted)
    os.utime(path, ns=(mtime_ns, mtime_ns))


def _decompress(data: bytes, size: int) -> bytes:
    if size > BLOCK * 2:
        raise Damaged(message("deploy.piece-too-large", "a piece of {size} bytes is too large", size=size))
    stream = zlib.decompressobj()
    try:
        return stream.decompress(data, size + 1)
    except zlib.error as error:
        raise Damaged(
            message("deploy.piece-damaged", "a compressed piece arrived damaged: {error}", error=str(error))
        ) from None


def incoming(planned: Sequence[PlannedFile]) -> List[Incoming]:
    """Return the plan's files; raises Damaged when they are not what they should be."""
    files = [Incoming(*fields) for fields in planned]
    for file in files:
        if not 0 <= file.start <= file.size:
            raise Damaged(
                message(
                    "deploy.plan-beyond-file",
                    "the plan starts {path!r} at {start} of {size} bytes",
                    path=file.path,
                    start=file.start,
                    size=file.size,
                )
            )
    return files
