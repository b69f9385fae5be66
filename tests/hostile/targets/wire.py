"""Fuzz targets of the wire: frames, and the bodies of every operation. Each raises on a fault only."""

from __future__ import annotations

from collections.abc import Callable

from agent.tree.format import ListError, Unpacker, pack
from agent.wire.decode import WireError, decode
from agent.wire.deploy import Differences, Entry, TransferPlan
from agent.wire.frames import FrameDecoder, FrameError, Item, encode, parse_json
from agent.wire.operations import OPERATIONS
from fleet.metrics_record import parse_record

_KINDS = [
    kind
    for operation in OPERATIONS.values()
    for kind in (operation.args, operation.upload, operation.item, operation.result)
]


def frames(data: bytes) -> None:
    """Read the bytes as frames, in two cuts: only FrameError, and no more kept than was fed."""
    decoder = FrameDecoder()
    try:
        for cut in (data[: len(data) // 2], data[len(data) // 2 :]):
            for frame in decoder.feed(cut):
                assert frame.size <= len(data)
    except FrameError:
        return
    assert decoder.pending <= len(data)


def bodies(data: bytes) -> None:
    """Read the bytes as JSON and as each type that travels: only ValueError, and the result can travel."""
    try:
        value = parse_json(data)
    except ValueError:
        return
    for kind in _KINDS:
        for tolerant in (False, True):
            try:
                found = decode(kind, value, tolerant=tolerant)
            except WireError as error:
                assert len(str(error)) < 2000
                continue
            (frame,) = FrameDecoder().feed(encode(Item(1, found)))
            assert frame.header == Item(1, decode(object, _plain(found)))
    record = parse_record(value)
    assert record is None or len(record.numbers) <= 256


def packed(data: bytes) -> None:
    """Read the bytes as a packed manifest, answer and plan: only ListError."""
    for kind in (list[Entry], Differences, TransferPlan):
        for pieces in ([data], _packed(data)):
            unpacker = Unpacker()
            try:
                for piece in pieces:
                    unpacker.feed(piece)
                unpacker.value(kind)
            except ListError:
                continue


def _packed(data: bytes) -> list[bytes]:
    try:
        return list(pack(parse_json(data)))
    except (ValueError, RecursionError):
        return [data]


def _plain(value: object) -> object:
    """Return tuples as lists, as JSON has them."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, list | tuple) else value


TARGETS: dict[str, Callable[[bytes], None]] = {"frames": frames, "bodies": bodies, "packed": packed}
SEEDS = (
    encode(Item(1, {"file": "a", "offset": 0, "restarted": None})),
    b'{"samples": 3}',
    b'{"kind": "step", "loss": 1e400, "step": 3}',
    b'[["a.py", 1, 2, null]]',
    b'{"runs": [], "time": 1.5}',
)
