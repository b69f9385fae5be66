"""``follow``: stream files as they grow.

Arguments: ``project``; ``files``: ``[{"file", "offset"}]``, paths below the project with ``/``; ``run``: the
end of this run ends the stream, once everything has been read; without it the stream ends when cancelled;
``once``: stop at the files' present ends; ``node``: where nodes share the project's folder, logs in
``.dtui/runs/<run>`` are those of this node.
Items: body ``{"file", "offset"}`` with the bytes that begin there as payload, cut anywhere. Bytes that the
log's limit dropped (agent.supervisor.log_limit) are skipped: an item without payload has their
number as ``"gap"``, and the next item's offset is that much further. A file that got
shorter, or was replaced by another, starts again at 0, which an item with ``"restarted"`` reports
(``truncated`` or ``replaced``) and no payload. A file that starts again too often, because a program rewrites
it all the time, is ``abandoned``: that is its last item. A file that does not exist is waited for. The result
is ``{"offsets": {file: offset}}``.
"""

from __future__ import annotations

import os
import time
from contextlib import suppress
from typing import IO, TYPE_CHECKING, Callable, Dict, Iterator, Literal, NamedTuple, Optional, Tuple

from agent.operations.run_arguments import folder_of, project_of
from agent.paths import PathRejected, split
from agent.private import OWN, regular
from agent.server import Cancelled, OperationError
from agent.supervisor.log_limit import read_gap
from agent.supervisor.status import FINAL, seen
from agent.wire.message import message
from agent.wire.runs import FollowArgs, FollowItem, FollowResult

if TYPE_CHECKING:
    from agent.server import Call

    Request = Call[FollowArgs, None, FollowItem]

_READ_SIZE = 1 << 16
_POLL_INTERVAL = 0.05
#: Checking whether the run has ended costs more than checking a file's size.
_ASK_EVERY = 0.2
#: Windows can't rename or remove a file that we hold open.
_HOLD_OPEN = os.name != "nt"

#: How often a file may start again before it is abandoned.
_RESTARTS = 20

Restart = Literal["truncated", "replaced", "abandoned"]
#: Offset, bytes, why the file is read from its start again, and how many bytes were dropped at the offset.
Piece = Tuple[int, bytes, Optional[Restart], int]


def follow(call: Request) -> FollowResult:
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
            if call.cancelled.wait(_POLL_INTERVAL):
                raise Cancelled
    finally:
        for file in files.values():
            file.close()


def _files(call: Request) -> Dict[str, Followed]:
    root = project_of(call)
    log_folder = _log_folder(call, root)
    files = {}
    for entry in call.args["files"]:
        name = entry["file"]
        try:
            parts = split(name)
            path = os.path.join(root, *parts)
        except PathRejected as error:
            remedy = message("follow.path.remedy", "name a file below the project")
            raise OperationError("path", error.message, remedy) from None
        if log_folder is not None and os.path.dirname(path) == log_folder.shared:
            path = os.path.join(log_folder.own, parts[-1])
        files[name] = Followed(path, entry["offset"])
    return files


class _Logs(NamedTuple):
    """The folder of a run's logs as the console names it, and the one that this node has."""

    shared: str
    own: str


def _log_folder(call: Request, root: str) -> Optional[_Logs]:
    run = call.args.get("run")
    if run is None:
        return None
    return _Logs(os.path.join(root, OWN, "runs", run), folder_of(call).path)


def _until_run_ends(call: Request) -> Callable[[], bool]:
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


def _pass_on(call: Request, files: Dict[str, Followed]) -> bool:
    """Send one piece of each file that has more; return whether any had."""
    some = False
    for name, file in files.items():
        for offset, data, restarted, gap in file.read():
            body: FollowItem = {"file": name, "offset": offset, "restarted": restarted}
            if gap:
                body["gap"] = gap
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
        self._restarts = 0

    def read(self) -> Iterator[Piece]:
        """Yield at most one piece and one restart: offset, bytes, why it restarted."""
        if self._restarts > _RESTARTS:
            return
        try:
            facts = os.stat(self._path)
        except OSError:
            facts = None
        if facts is not None and self._identity in (None, (facts.st_dev, facts.st_ino)):
            self._identity = (facts.st_dev, facts.st_ino)
            if facts.st_size < self.offset:
                yield self._restart("truncated")
            if facts.st_size > self.offset and self._restarts <= _RESTARTS:
                yield from self._piece()
            return
        # Removed or replaced: the rest of the old file comes first.
        rest = list(self._piece()) if self._file is not None else []
        yield from rest
        if facts is not None and not rest:
            self.close()
            self._identity = (facts.st_dev, facts.st_ino)
            yield self._restart("replaced")

    def _restart(self, why: Restart) -> Piece:
        self.offset = 0
        self._restarts += 1
        return 0, b"", why if self._restarts <= _RESTARTS else "abandoned", 0

    def _piece(self) -> Iterator[Piece]:
        with suppress(OSError):
            file = self._file or open(self._path, "rb", opener=regular)  # noqa: SIM115 -- kept open where that is harmless
            self._file = file
            file.seek(self.offset)
            data = file.read(_READ_SIZE)
            if not _HOLD_OPEN:
                self.close()
            # Asked after reading: the gap is written down before its bytes are dropped.
            start, end = read_gap(self._path)
            if start < self.offset + len(data) and self.offset < end:
                data = data[: max(start - self.offset, 0)]
                if not data:
                    offset, self.offset = self.offset, end
                    yield offset, b"", None, end - offset
                    return
            if data:
                offset, self.offset = self.offset, self.offset + len(data)
                yield offset, data, None, 0

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()
            self._file = None
