"""What a node answers to ``follow``, checked before anything uses it."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

from agent.wire.frames import MAX_PAYLOAD
from agent.wire.message import EMPTY, Message, message
from agent.wire.runs import FollowItem
from fleet.errors import InvalidAnswer
from fleet.events import Notice
from fleet.link.client import Item

#: Larger than any file; a larger number is not an offset.
_LARGEST = 1 << 62
#: How often a file may restart in one answer: one that is truncated all the time would fill the record.
_RESTARTS = 100


def restart_notice(node: str, at: float, piece: Piece) -> Notice:
    """Return the warning for a file that is read from its beginning again, or not any more."""
    remedy = EMPTY
    if piece.restarted == "abandoned":
        text = message(
            "record.file-abandoned",
            "{file} is rewritten again and again, and dtui stops reading it",
            file=piece.file,
        )
        remedy = message("record.file-abandoned.remedy", "let the program append to the file")
    elif piece.restarted == "truncated":
        text = message(
            "record.file-truncated",
            "{file} was truncated on the node and is read again from its beginning",
            file=piece.file,
        )
    else:
        text = message(
            "record.file-replaced",
            "{file} was replaced on the node and is read again from its beginning",
            file=piece.file,
        )
    return Notice(node=node, at=at, level="warning", text=text, remedy=remedy)


class Piece(Struct, frozen=True, kw_only=True):
    """Bytes of ``file`` at ``offset``; or, with ``restarted``, that the file starts again at 0 and why.

    With ``gap``, that many bytes before ``offset`` were dropped on the node, and there is no data.
    """

    file: str
    offset: int
    data: bytes = b""
    restarted: str = ""
    gap: int = 0


class FollowedFiles:
    """Checks the items of one answer; ``offsets`` are where the files were asked from.

    A node can only continue a file where its last piece ended, or start it again. ``most`` is how many bytes
    of one file the answer may have; None for one that continues as long as the run.
    """

    def __init__(self, node: str, offsets: Mapping[str, int], most: int | None = None) -> None:
        self._node = node
        self._left = dict.fromkeys(offsets, _LARGEST if most is None else most)
        self._next = dict(offsets)
        self._restarts = dict.fromkeys(offsets, 0)

    def piece(self, item: Item[FollowItem]) -> Piece:
        """Return the item as a piece; raises InvalidAnswer."""
        file, offset, restarted = item.body["file"], item.body["offset"], item.body["restarted"]
        if file not in self._next:
            raise self._wrong(message("answer.other-file", "a file that was not requested"))
        if restarted:
            self._restarts[file] += 1
            if self._restarts[file] > _RESTARTS:
                raise self._wrong(
                    message(
                        "answer.file-restarts",
                        "{file} started again more than {count} times",
                        file=file,
                        count=_RESTARTS,
                    )
                )
            self._next[file] = 0
            if restarted == "abandoned":
                del self._next[file]
            return Piece(file=file, offset=0, restarted=restarted)
        if offset != self._next[file]:
            raise self._wrong(
                message(
                    "answer.file-offset",
                    "{file} continues at byte {offset} instead of {expected}",
                    file=file,
                    offset=offset,
                    expected=self._next[file],
                )
            )
        if len(item.payload) > MAX_PAYLOAD or offset + len(item.payload) > _LARGEST:
            raise self._wrong(message("answer.file-piece", "a piece of {file} is too large", file=file))
        if (gap := item.body.get("gap", 0)) > 0:
            if item.payload or offset + gap > _LARGEST:
                raise self._wrong(message("answer.file-gap", "a gap in {file} is not valid", file=file))
            self._next[file] += gap
            return Piece(file=file, offset=offset + gap, gap=gap)
        self._next[file] += len(item.payload)
        self._left[file] -= len(item.payload)
        if self._left[file] < 0:
            raise self._wrong(message("answer.file-endless", "{file} does not end", file=file))
        return Piece(file=file, offset=offset, data=item.payload)

    def _wrong(self, reason: Message) -> InvalidAnswer:
        return InvalidAnswer("follow", reason, node=self._node)
