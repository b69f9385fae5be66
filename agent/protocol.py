"""The frames that console and agent exchange, free of any I/O, shared by both sides.

A frame is two big-endian 32-bit lengths, a JSON header of the first length and a binary payload of
the second. Every header has a ``kind``; frames of a request carry its ``id``, a number that the
console chooses and never uses twice on one connection.

================ ========= ==============================================================
kind             sender    meaning (further header keys)
================ ========= ==============================================================
``hello``        agent     first frame: ``protocol digest pid python executable platform host``
``call``         console   starts request ``id``: ``op``, ``args``
``data``         console   a piece of the request's upload: ``body``, payload
``end``          console   the upload is complete
``cancel``       console   stop working on ``id``; a ``fail`` or ``done`` still follows
``item``         agent     a piece of the answer: ``body``, payload
``done``         agent     the request succeeded: ``body``
``fail``         agent     the request failed: ``code``, ``message``, ``hint``
``credit``       both      the receiver has consumed ``bytes`` of ``id`` (see WINDOW)
``ping`` ``pong`` both     is the other side alive: ``token``
``fault``        agent     the connection is broken beyond one request: ``message``; then it exits
================ ========= ==============================================================

Flow control is per request and direction: a sender may have WINDOW encoded bytes of ``data`` or
``item`` frames unconsumed, the one that crosses the limit included. So a slow reader slows down only
its own stream, and both queues stay bounded.
"""

from __future__ import annotations

import json
import struct
from typing import Any, Dict, Iterator, NamedTuple

PROTOCOL = 1
MAX_HEADER = 1 << 20
MAX_PAYLOAD = 1 << 20
WINDOW = 4 << 20
MAX_REQUESTS = 64
#: An agent that hears nothing for so many seconds takes the console for lost and ends.
SILENCE_LIMIT = 90.0

_LENGTHS = struct.Struct(">II")

KINDS = frozenset(
    ["hello", "call", "data", "end", "cancel", "item", "done", "fail", "credit", "ping", "pong", "fault"]
)
_WITHOUT_ID = frozenset(["hello", "ping", "pong", "fault"])


class FrameError(Exception):
    """The bytes on the channel are not this protocol; the connection can't go on."""


class Frame(NamedTuple):
    """One message: the header as a dict, the payload (empty for most), the encoded size in bytes."""

    header: Dict[str, Any]
    payload: bytes
    size: int

    @property
    def kind(self) -> str:
        """The header's ``kind``, one of KINDS."""
        return str(self.header["kind"])

    @property
    def id(self) -> int:
        """The request's number, 0 for frames of the connection itself."""
        return int(self.header.get("id", 0))


def encode(header: Dict[str, Any], payload: bytes = b"") -> bytes:
    """Return the frame's bytes; raises FrameError when a part is over its limit."""
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=True).encode("ascii")
    if len(text) > MAX_HEADER or len(payload) > MAX_PAYLOAD:
        raise FrameError(f"frame too large: header {len(text)} bytes, payload {len(payload)} bytes")
    return b"".join((_LENGTHS.pack(len(text), len(payload)), text, payload))


class FrameDecoder:
    """Turns a byte stream, cut anywhere, into frames."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    @property
    def pending(self) -> int:
        """Bytes of an unfinished frame; not 0 at end of stream means that it was cut."""
        return len(self._buffer)

    def feed(self, data: bytes) -> Iterator[Frame]:
        """Yield every frame completed by ``data``; raises FrameError on a malformed one."""
        self._buffer += data
        while len(self._buffer) >= _LENGTHS.size:
            head, body = _LENGTHS.unpack_from(self._buffer)
            if head > MAX_HEADER or body > MAX_PAYLOAD:
                raise FrameError(
                    f"a frame announces {head} header and {body} payload bytes, over the limits "
                    f"{MAX_HEADER} and {MAX_PAYLOAD}"
                )
            end = _LENGTHS.size + head + body
            if len(self._buffer) < end:
                return
            header = _parse(bytes(self._buffer[_LENGTHS.size : _LENGTHS.size + head]))
            payload = bytes(self._buffer[_LENGTHS.size + head : end])
            del self._buffer[:end]
            yield Frame(header, payload, end)


def _parse(text: bytes) -> Dict[str, Any]:
    try:
        header = json.loads(text)
    except ValueError as error:
        raise FrameError(f"a frame's header is not JSON: {error}") from None
    if not isinstance(header, dict):
        raise FrameError("a frame's header is not a JSON object")
    kind = header.get("kind")
    if kind not in KINDS:
        raise FrameError(f"unknown frame kind {kind!r}")
    if kind not in _WITHOUT_ID and not (isinstance(header.get("id"), int) and header["id"] > 0):
        raise FrameError(f"a {kind} frame without a request number")
    return header
