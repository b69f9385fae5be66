"""The frames that console and agent exchange, free of any I/O, shared by both sides.

A frame is two big-endian 32-bit lengths, a JSON header of the first length and a binary payload of the
second. The header's ``kind`` names one of the classes below, whose fields are the header's other keys; every
key must be there and no other may. Frames of a request carry its ``id``, a number that the console chooses
and never uses twice on one connection.

Flow control is per request and direction: a sender may have WINDOW encoded bytes of ``data`` or ``item``
frames unconsumed, the one that crosses the limit included. So a slow reader slows down only its own stream,
and both queues stay bounded. A peer that exceeds its window is cut off.
"""

from __future__ import annotations

import json
import struct
from typing import Dict, Iterator, NamedTuple, Type, TypeVar, Union

from agent.wire.decode import WireError, checker
from agent.wire.message import MessageData

PROTOCOL = 2
MAX_HEADER = 1 << 20
MAX_PAYLOAD = 1 << 20
WINDOW = 4 << 20
#: Bytes that a peer which respects WINDOW can have in flight: the frame that crosses it counts in full.
MAX_IN_FLIGHT = WINDOW + 8 + MAX_HEADER + MAX_PAYLOAD
MAX_REQUESTS = 64
#: An agent that receives nothing for this many seconds considers the console lost and exits.
SILENCE_LIMIT = 90.0

_LENGTHS = struct.Struct(">II")
#: JSON numbers of more characters than this are rejected before they are parsed, which takes quadratic time.
_MAX_DIGITS = 400


class FrameError(Exception):
    """The bytes on the channel are not this protocol; the connection can't continue."""


class Hello(NamedTuple):
    """Agent, first frame: what it is."""

    protocol: int
    digest: str
    pid: int
    python: str
    executable: str
    platform: str
    host: str


class Call(NamedTuple):
    """Console: start request ``id``."""

    id: int
    op: str
    args: object


class Data(NamedTuple):
    """Console: a piece of the request's upload."""

    id: int
    body: object


class End(NamedTuple):
    """Console: the upload is complete."""

    id: int


class Cancel(NamedTuple):
    """Console: stop working on ``id``; a Fail or Done still follows."""

    id: int


class Item(NamedTuple):
    """Agent: a piece of the answer."""

    id: int
    body: object


class Done(NamedTuple):
    """Agent: the request succeeded."""

    id: int
    body: object


class Fail(NamedTuple):
    """Agent: the request failed; ``code`` is for programs."""

    id: int
    code: str
    message: MessageData
    remedy: MessageData


class Credit(NamedTuple):
    """Both: the receiver has consumed ``bytes`` of request ``id``."""

    id: int
    bytes: int


class Ping(NamedTuple):
    """Both: is the other side alive?"""

    token: int


class Pong(NamedTuple):
    """Both: the answer to a Ping."""

    token: int


class Fault(NamedTuple):
    """Agent: the connection itself has failed, not one request; then it exits."""

    message: str


Header = Union[Hello, Call, Data, End, Cancel, Item, Done, Fail, Credit, Ping, Pong, Fault]
H = TypeVar("H", bound=Header)

_KINDS: Dict[str, Type[Header]] = {
    kind.__name__.lower(): kind
    for kind in (Hello, Call, Data, End, Cancel, Item, Done, Fail, Credit, Ping, Pong, Fault)
}
_NAMES = {kind: name for name, kind in _KINDS.items()}


class Frame(NamedTuple):
    """One message: its header, the payload (empty for most), and the encoded size in bytes."""

    header: Header
    payload: bytes
    size: int


def encode(header: Header, payload: bytes = b"") -> bytes:
    """Return the frame's bytes; raises FrameError when a part is over its limit."""
    fields = {"kind": _NAMES[type(header)], **header._asdict()}
    text = json.dumps(fields, separators=(",", ":"), allow_nan=False).encode("ascii")
    if len(text) > MAX_HEADER or len(payload) > MAX_PAYLOAD:
        raise FrameError(f"frame too large: header {len(text)} bytes, payload {len(payload)} bytes")
    return b"".join((_LENGTHS.pack(len(text), len(payload)), text, payload))


class FrameDecoder:
    """Turns a byte stream, cut anywhere, into frames. Keeps at most one frame in addition to its input."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    @property
    def pending(self) -> int:
        """Bytes of an unfinished frame; if not 0 at the end of the stream, the frame was cut."""
        return len(self._buffer)

    def feed(self, data: bytes) -> Iterator[Frame]:
        """Yield every frame completed by ``data``; raises FrameError on a malformed one."""
        self._buffer += data
        at = 0
        try:
            while len(self._buffer) - at >= _LENGTHS.size:
                head, body = _LENGTHS.unpack_from(self._buffer, at)
                if head > MAX_HEADER or body > MAX_PAYLOAD:
                    raise FrameError(
                        f"a frame announces {head} header and {body} payload bytes, over the limits "
                        f"{MAX_HEADER} and {MAX_PAYLOAD}"
                    )
                begin = at + _LENGTHS.size
                if len(self._buffer) < begin + head + body:
                    return
                text = bytes(self._buffer[begin : begin + head])
                payload = bytes(self._buffer[begin + head : begin + head + body])
                size = _LENGTHS.size + head + body
                at += size
                yield Frame(_parse(text), payload, size)
        finally:
            del self._buffer[:at]


def parse_json(text: Union[bytes, bytearray]) -> object:
    """Return the JSON value; raises ValueError, also for numbers that are too long and for deep nesting."""
    try:
        return json.loads(text, parse_int=_whole, parse_constant=_constant)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def _whole(text: str) -> int:
    if len(text) > _MAX_DIGITS:
        raise ValueError("a number has %d digits" % len(text))
    return int(text)


def _constant(text: str) -> float:
    raise ValueError("%s is not a JSON number" % text)


def _parse(text: bytes) -> Header:
    try:
        fields = parse_json(text)
    except ValueError as error:
        raise FrameError(f"a frame's header is not JSON: {error}") from None
    if not isinstance(fields, dict):
        raise FrameError("a frame's header is not a JSON object")
    name = fields.pop("kind", None)
    kind = _KINDS.get(name) if isinstance(name, str) else None
    if kind is None:
        raise FrameError(f"unknown frame kind {ascii(name)[:60]}")
    try:
        header: Header = checker(kind)(fields, name)
    except WireError as error:
        raise FrameError(str(error)) from None
    if not getattr(header, "id", 1) > 0:
        raise FrameError(f"a {name} frame without a request number")
    return header
