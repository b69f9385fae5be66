"""The state of one end of a channel, encoded and strictly decoded. Runs on the node too."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from transports.winrm.reliable.frames import PIECE, FrameError

#: Offsets and counters. More than a channel can carry in years.
_LARGEST = 1 << 53
#: State that an end may report besides its streams, with the types. A process id or exit status has 32 bits.
STATE = {"pid": int, "exit": int, "failed": str, "stdin_closed": bool, "bye": bool}
_LONGEST_TEXT = 4096
_FIELDS = {"have", "room", "sent", "ends", "confirmed", "acknowledged", "resends", "state"}


def clipped(text: str) -> str:
    """Return a text that fits into a snapshot."""
    return text[:_LONGEST_TEXT]


def encode(body: dict[str, Any]) -> bytes:
    """Return the payload of a snapshot's frame."""
    return json.dumps(body).encode("ascii")


def decode(payload: bytes, out: Iterable[int], into: Iterable[int]) -> dict[str, Any]:
    """Return the other end's snapshot for a reader that sends ``out`` and receives ``into``.

    Stream numbers are integers again. Raises FrameError if a field is missing or unknown, or has a wrong type
    or range.
    """
    if len(payload) > PIECE:
        raise FrameError("its snapshot is too long")
    try:
        body = json.loads(payload.decode("ascii"))
    except (ValueError, RecursionError) as error:
        raise FrameError("its snapshot is not JSON") from error
    if not isinstance(body, dict) or set(body) != _FIELDS:
        raise FrameError("its snapshot has other fields")
    out, into = set(out), set(into)
    return {
        "have": _offsets(body["have"], out, True),
        "room": _offsets(body["room"], out, True),
        "sent": _offsets(body["sent"], into, True),
        "confirmed": _offsets(body["confirmed"], into, True),
        "ends": _offsets(body["ends"], into, False),
        "acknowledged": _number(body["acknowledged"], 0, 1 << 16),
        "resends": _number(body["resends"], 0, 1 << 31),
        "state": _state(body["state"]),
    }


def _offsets(value: Any, streams: Any, complete: bool) -> dict[int, int]:
    if not isinstance(value, dict):
        raise FrameError("its snapshot lacks offsets")
    names = {str(stream): stream for stream in streams}
    if not set(value) <= set(names) or (complete and len(value) != len(names)):
        raise FrameError("its snapshot is about other streams")
    return {names[name]: _number(offset, 0, _LARGEST) for name, offset in value.items()}


def _number(value: Any, least: int, most: int) -> int:
    if type(value) is not int or not least <= value <= most:
        raise FrameError("its snapshot has a number out of range")
    return value


def _state(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict) or not set(value) <= set(STATE):
        raise FrameError("its snapshot reports an unknown state")
    for name, item in value.items():
        if type(item) is not STATE[name]:
            raise FrameError("its state has a wrong type")
        if type(item) is int:
            _number(item, -(1 << 31), (1 << 32) - 1)
        if type(item) is str and len(item) > _LONGEST_TEXT:
            raise FrameError("its state is too long")
    return dict(value)
