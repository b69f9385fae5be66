"""``follow``: stream files as they grow.

Arguments: ``project``; ``files``: ``[{"file", "offset"}]``, paths below the project with ``/``; ``run``: the
end of this run ends the stream, once everything has been read; without it the stream ends when cancelled;
``once``: stop at the files' present ends.
Items: body ``{"file", "offset"}`` with the bytes that begin there as payload, cut anywhere. A file that got
shorter, or was replaced by another, starts again at 0: that is told by an item with ``"restarted"``
(``truncated`` or ``replaced``) and no payload. A file that does not exist is waited for. The result is
``{"offsets": {file: offset}}``.
"""

from __future__ import annotations

import os
import time
from contextlib import suppress
from typing import IO, TYPE_CHECKING, Any, Callable, Dict, Iterator, Optional, Tuple

from agent.operations.run_arguments import folder_of, project_of
from agent.paths import PathRejected, split
from agent.server import Cancelled, OperationError
from agent.supervisor.status import FINAL, seen

if TYPE_CHECKING:
    from agent.server import Call

_READ_SIZE = 1 << 16
_LOOK_EVERY = 0.05
#: Looking whether the run has ended costs more than looking at a file's size.
_ASK_EVERY = 0.2
#: Windows can't rename or remove a file that we hold open.
_HOLD_OPEN = os.name != "nt"

Piece = Tuple[int, bytes, str]


def follow(call: Call) -> Dict[str, Any]:
    """Stream until the run has ended and all is read, or the console has enough."""
    files = _files(call)
    over = _until_run_ends(call)
    try:
        while True:
            # Asked before reading: what was written before the end is then surely read.
            ended = over()
            while _pass_on(call, files):
                pass
            if ended:
                return {"offsets": {name: file.offset for name, file in files.items()}}
            if call.cancelled.wait(_LOOK_EVERY):
                raise Cancelled
    finally:
        for file in files.values():
            file.close()


def _files(call: Call) -> Dict[str, Followed]:
    root = project_of(call)
    files = {}
    for entry in call.args.get("files") or []:
        name = str(entry["file"])
        try:
            path = os.path.join(root, *split(name))
        except PathRejected as error:
            raise OperationError("path", str(error), "name a file below the project") from None
        files[name] = Followed(path, int(entry.get("offset") or 0))
    return files


def _until_run_ends(call: Call) -> Callable[[], bool]:
    if call.args.get("once"):
        return lambda: True
    if call.args.get("run") is None:
        return lambda: False
    folder = folder_of(call)
    asked = -_ASK_EVERY

    def over() -> bool:
        nonlocal asked
        if time.monotonic() - asked < _ASK_EVERY:
            return False
        asked = time.monotonic()
        status = seen(folder)
        return status is None or status["state"] in FINAL or status["state"] == "lost"

    return over


def _pass_on(call: Call, files: Dict[str, Followed]) -> bool:
    """Send one piece of each file that has more; return whether any had."""
    some = False
    for name, file in files.items():
        for offset, data, restarted in file.read():
            body = {"file": name, "offset": offset}
            if restarted:
                body["restarted"] = restarted
            call.send(body, data)
            some = True
    return some


class Followed:
    """One file and how far it has been read; raises nothing for a file that can't be read now."""

    def __init__(self, path: str, offset: int = 0) -> None:
        self.offset = offset
        self._path = path
        self._file: Optional[IO[bytes]] = None
        self._identity: Optional[Tuple[int, int]] = None

    def read(self) -> Iterator[Piece]:
        """Yield at most one piece and one restart: offset, bytes, why it restarted."""
        try:
            facts = os.stat(self._path)
        except OSError:
            facts = None
        if facts is not None and self._identity in (None, (facts.st_dev, facts.st_ino)):
            self._identity = (facts.st_dev, facts.st_ino)
            if facts.st_size < self.offset:
                yield self._restart("truncated")
            if facts.st_size > self.offset:
                yield from self._piece()
            return
        # Gone or replaced: what the old file still holds comes first.
        rest = list(self._piece()) if self._file is not None else []
        yield from rest
        if facts is not None and not rest:
            self.close()
            self._identity = (facts.st_dev, facts.st_ino)
            yield self._restart("replaced")

    def _restart(self, why: str) -> Piece:
        self.offset = 0
        return 0, b"", why

    def _piece(self) -> Iterator[Piece]:
        with suppress(OSError):
            file = self._file or open(self._path, "rb")  # noqa: SIM115 -- kept open where that is harmless
            self._file = file
            file.seek(self.offset)
            data = file.read(_READ_SIZE)
            if not _HOLD_OPEN:
                self.close()
            if data:
                offset, self.offset = self.offset, self.offset + len(data)
                yield offset, data, ""

    def close(self) -> None:
        """Let go of the file."""
        if self._file is not None:
            self._file.close()
            self._file = None
