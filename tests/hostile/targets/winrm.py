"""Fuzz targets: what a node can send over WinRM, fed to the code that reads it.

Each target takes any bytes and returns; it raises only when there is a fault in dtui. Errors that dtui
declares for a bad node are no faults. A fuzzer (hypothesis here, or a longer run) supplies the bytes.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable
from xml.etree import ElementTree

from transports.errors import ProtocolViolation
from transports.winrm import limits
from transports.winrm.document import MalformedAnswer, check_document
from transports.winrm.quotas import read_quotas
from transports.winrm.reliable.frames import PIECE, SNAPSHOT, STDERR, STDIN, STDOUT, FrameError, Frames
from transports.winrm.reliable.peer import Peer
from transports.winrm.reliable.snapshot import decode
from transports.winrm.reliable.streams import WINDOW
from transports.winrm.sealed import unseal

KEY = b"\x07k\xffy-123"


def fuzz_frames(data: bytes) -> None:
    """Bytes of a command's output, cut into pieces as the first byte says."""
    step = 1 + (data[0] if data else 0)
    frames = Frames(KEY)
    for start in range(0, len(data), step):
        for _, _, payload in frames.unpack(data[start : start + step]):
            assert len(payload) <= PIECE
    assert frames.buffered <= PIECE + 64 + step


def fuzz_peer(data: bytes) -> None:
    """Well-made frames whose kinds, offsets and payloads come from ``data``, to both ends."""
    for sends, receives in (((STDIN,), (STDOUT, STDERR)), ((STDOUT, STDERR), (STDIN,))):
        peer, frames = Peer(KEY, sends, receives, lambda: 0.0), Frames(KEY)
        rest = data
        with peer.changed, contextlib.suppress(FrameError):
            for out in peer.out.values():
                out.write(b"x" * 100)
            peer.gather(1000)
            while rest:
                kind = (STDIN, STDOUT, STDERR, SNAPSHOT)[rest[0] % 4]
                width = 1 + rest[0] // 32
                offset = int.from_bytes(rest[1 : 1 + width][:8], "big")
                size = rest[1 + width] if len(rest) > 1 + width else 0
                payload, rest = rest[2 + width : 2 + width + size], rest[2 + width + size :]
                peer.receive(frames.pack(kind, offset, payload))
        for into in peer.into.values():
            assert len(into.waiting) <= WINDOW
            assert into.consumed <= into.have
        for out in peer.out.values():
            assert 0 <= out.confirmed <= out.written == 100
        assert set(peer.remote_state) <= {"pid", "exit", "failed", "stdin_closed", "bye"}


def fuzz_snapshot(data: bytes) -> None:
    """The payload of a snapshot: as it is, and as the value of each field of a right one."""
    honest: dict[str, object] = {
        "have": {"0": 0}, "room": {"0": WINDOW}, "sent": {"1": 0, "2": 0}, "ends": {},
        "confirmed": {"1": 0, "2": 0}, "acknowledged": 0, "resends": 0, "state": {},
    }  # fmt: skip
    texts = [data]
    with contextlib.suppress(ValueError, RecursionError):
        value = json.loads(data)
        texts += [json.dumps({**honest, field: value}).encode() for field in honest]
    for text in texts:
        with contextlib.suppress(FrameError):
            body = decode(text, (STDIN,), (STDOUT, STDERR))
            assert set(body["have"]) == {STDIN}
            assert all(type(number) is int and number >= 0 for number in body["sent"].values())


def fuzz_sealed(data: bytes) -> None:
    """A sealed body; the seal itself is taken off by a function that returns what is sealed."""
    head = (
        b"--Encrypted Boundary\r\n\tContent-Type: application/HTTP-SPNEGO-session-encrypted\r\n"
        b"\tOriginalContent: type=application/soap+xml;charset=UTF-8;Length=%d\r\n"
        b"--Encrypted Boundary\r\n\tContent-Type: application/octet-stream\r\n"
    ) % max(0, len(data) - 20)
    for body in (data, head + data, head + data + b"--Encrypted Boundary--\r\n"):
        with contextlib.suppress(MalformedAnswer):
            assert len(unseal(body, lambda sealed, signature: sealed)) <= len(body)


def fuzz_document(data: bytes) -> None:
    """An answer's XML: whole, and inside an envelope."""
    for document in (data, b"<s:E xmlns:s='x'>" + data + b"</s:E>"):
        with contextlib.suppress(MalformedAnswer, ProtocolViolation):
            checked = check_document(document, "node")
            # What passes must not surprise the parser behind the check.
            root = ElementTree.fromstring(checked)
            assert sum(1 + len(element.attrib) for element in root.iter()) <= limits.XML_NODES
            read_quotas(checked)


TARGETS: tuple[Callable[[bytes], None], ...] = (
    fuzz_frames,
    fuzz_peer,
    fuzz_snapshot,
    fuzz_sealed,
    fuzz_document,
)


#: Inputs to begin with: frames, the fields of a snapshot, a sealed body and a document.
SEEDS = (
    Frames(KEY).pack(STDOUT, 0, b"x") + Frames(KEY).pack(STDERR, 7, b"y" * 100),
    bytes([0]) + b"\0" + b"\3" + b"abc" + bytes([1]) + b"\0" + b"\0",
    b'{"0": 0, "1": 7}',
    b"\x10\0\0\0" + bytes(16) + b"<a/>",
    b"<rsp:Shell xmlns:rsp='x'><MaxShellsPerUser>9</MaxShellsPerUser></rsp:Shell>",
)
