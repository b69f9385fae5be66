"""The relay's protocol against a peer that floods, repeats itself, leaves gaps or lies: on both ends."""

from __future__ import annotations

import json
import sys
import textwrap
import time
from pathlib import Path
from typing import Any

import pytest

from tests.hostile.winrm.conftest import Connect, Serve, use
from tests.support.memory import PeakMemory
from transports.errors import ProtocolViolation, TransportError
from transports.winrm.reliable.frames import PIECE, SNAPSHOT, STDERR, STDIN, STDOUT, FrameError, Frames
from transports.winrm.reliable.peer import USELESS, USELESS_PER_SECOND, Peer
from transports.winrm.reliable.streams import WINDOW

KEY = b"\x07k\xffy-123"
MEMORY = 20 << 20


class End:
    """The console's end, a clock, and frames that the other end might send."""

    def __init__(self) -> None:
        self.now = 0.0
        self.peer = Peer(KEY, (STDIN,), (STDOUT, STDERR), lambda: self.now)
        self.frames = Frames(KEY)

    def take(self, data: bytes) -> None:
        with self.peer.changed:
            self.peer.receive(data)

    def piece(self, offset: int, size: int, stream: int = STDOUT) -> None:
        self.take(self.frames.pack(stream, offset, b"x" * size))

    def snapshot(self, **changes: Any) -> None:
        self.raw_snapshot(json.dumps(honest() | changes).encode())

    def raw_snapshot(self, payload: bytes) -> None:
        self.take(self.frames.pack(SNAPSHOT, 0, payload))


def honest() -> dict[str, Any]:
    return {
        "have": {"0": 0},
        "room": {"0": WINDOW},
        "sent": {"1": 0, "2": 0},
        "ends": {},
        "confirmed": {"1": 0, "2": 0},
        "acknowledged": 0,
        "resends": 0,
        "state": {},
    }


@pytest.fixture
def end() -> End:
    return End()


def test_an_honest_snapshot_passes(end: End) -> None:
    end.snapshot(state={"pid": 7, "exit": 4294967295, "stdin_closed": True, "bye": True, "failed": "no"})
    assert end.peer.remote_state["exit"] == 4294967295


WRONG: dict[str, dict[str, Any]] = {
    "confirms what was never sent": {"have": {"0": 1}},
    "more room than a window": {"room": {"0": WINDOW + 1}},
    "endless room": {"room": {"0": 1 << 60}},
    "sent more than allowed": {"sent": {"1": WINDOW + 1, "2": 0}},
    "confirmed more than we have": {"confirmed": {"1": 1, "2": 0}},
    "a length out of reach": {"ends": {"1": WINDOW + 1}},
    "another stream": {"have": {"1": 0}},
    "no stream": {"have": {}},
    "one of two streams": {"sent": {"1": 0}},
    "text for a number": {"acknowledged": "1"},
    "a fraction": {"resends": 0.5},
    "infinity": {"resends": float("inf")},
    "not a number": {"resends": float("nan")},
    "a boolean": {"resends": True},
    "negative": {"resends": -1},
    "a huge number": {"acknowledged": 10**4000},
    "a list": {"have": [0]},
    "unknown news": {"state": {"run": "calc"}},
    "a wrong exit status": {"state": {"exit": "0"}},
    "an exit status of 65 bits": {"state": {"exit": 1 << 64}},
    "nested news": {"state": {"pid": [[1]]}},
    "long news": {"state": {"failed": "x" * 5000}},
    "one more field": {"more": 1},
}


@pytest.mark.parametrize("wrong", WRONG)
def test_a_wrong_snapshot_ends_the_channel(end: End, wrong: str) -> None:
    with pytest.raises(FrameError):
        end.snapshot(**WRONG[wrong])


@pytest.mark.parametrize(
    "payload", [b"", b"7", b"{}", b"[" * 60_000, b'{"a":' * 12_000, b"\xff", b"9" * 60_000, b"null"]
)
def test_a_snapshot_that_is_none(end: End, payload: bytes) -> None:
    with pytest.raises(FrameError):
        end.raw_snapshot(payload)


def test_a_length_that_changes_or_was_passed_already(end: End) -> None:
    end.piece(0, 10)
    with pytest.raises(FrameError, match="length"):
        end.snapshot(ends={"1": 9}, sent={"1": 10, "2": 0})
    end.snapshot(ends={"1": 10}, sent={"1": 10, "2": 0})
    with pytest.raises(FrameError, match="length"):
        end.snapshot(ends={"1": 11}, sent={"1": 10, "2": 0})
    with pytest.raises(FrameError, match="behind the end"):
        end.piece(10, 1)


def test_news_that_change(end: End) -> None:
    end.snapshot(state={"exit": 0})
    with pytest.raises(FrameError, match="changes"):
        end.snapshot(state={"exit": 1})


@pytest.mark.parametrize("offset", [WINDOW, WINDOW + 1, 1 << 62, (1 << 64) - 1])
def test_a_piece_out_of_the_window(end: End, offset: int) -> None:
    with pytest.raises(FrameError, match="window"):
        end.piece(offset, 1)


@pytest.mark.parametrize("kind", [STDIN, 3, 255])
def test_a_stream_that_is_not_the_nodes(end: End, kind: int) -> None:
    with pytest.raises(FrameError, match="not its own"):
        end.piece(0, 1, kind)


def test_a_flood_waits_up_to_a_window_and_not_a_byte_more(end: End) -> None:
    with PeakMemory() as memory:
        for offset in range(0, WINDOW, PIECE):
            end.piece(offset, PIECE)
        assert len(end.peer.into[STDOUT].waiting) == WINDOW
    assert memory.grown < MEMORY
    with pytest.raises(FrameError, match="window"):
        end.piece(WINDOW, 1)


@pytest.mark.parametrize("flood", ["noise", "the same piece", "a gap", "the same snapshot", "bad checksums"])
def test_bytes_without_progress_are_limited(end: End, flood: str) -> None:
    end.piece(0, 100)
    data = {
        "noise": bytes(1 << 20),
        "the same piece": end.frames.pack(STDOUT, 0, b"x" * 100) * 9000,
        "a gap": end.frames.pack(STDOUT, 5000, b"x" * PIECE) * 16,
        "the same snapshot": end.frames.pack(SNAPSHOT, 0, json.dumps(honest()).encode()) * 6000,
        "bad checksums": (KEY + bytes(17)) * 40_000,
    }[flood]
    began = time.perf_counter()

    def take_for_ever() -> None:
        for _ in range(USELESS // len(data) + 2):
            end.take(data)

    with PeakMemory() as memory, pytest.raises(FrameError, match="without end"):
        take_for_ever()
    assert memory.grown < MEMORY
    assert time.perf_counter() - began < 240  # it could be for ever


def test_an_idle_channel_may_repeat_itself_for_ever(end: End) -> None:
    data = end.frames.pack(SNAPSHOT, 0, json.dumps(honest()).encode())
    for _ in range(5000):
        end.now += 1
        end.take(data * 5)
    assert end.now * USELESS_PER_SECOND > 2 * USELESS


def test_single_bytes_are_progress(end: End) -> None:
    for offset in range(30_000):
        end.piece(offset, 1)
    assert end.peer.into[STDOUT].have == 30_000


def test_a_frame_that_announces_gigabytes_keeps_nothing(end: End) -> None:
    head = bytearray(end.frames.pack(STDOUT, 0, b""))
    head[17:21] = (0xFFFFFFFF).to_bytes(4, "big")
    with PeakMemory() as memory:
        for _ in range(7):
            end.take(bytes(head) + bytes(1 << 20))
    assert memory.grown < MEMORY
    end.piece(0, 5)
    assert end.peer.into[STDOUT].have == 5


def test_heads_without_a_body_take_linear_time(end: End) -> None:
    head = bytearray(end.frames.pack(STDOUT, 0, b""))
    head[17:21] = PIECE.to_bytes(4, "big")
    data = bytes(head) * (4 << 20 >> 5)
    began = time.perf_counter()
    end.take(data)
    assert time.perf_counter() - began < 120  # in the square, it would be hours


#: A program in the interpreter's place, which finds the relay's key and sends frames of its own.
FAKE = """
#!{python}
import re, sys
sys.path.insert(0, {root!r})
from transports.winrm.reliable.frames import *
line = sys.stdin.buffer.readline().decode()
key = bytes.fromhex(re.search(r"'([0-9a-f]{{16}})[\\\\]*'", line).group(1))
frames = Frames(key)
def put(data):
    sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()
{attack}
"""

ATTACKS = {
    "an endless stream": "while True: put(frames.pack(STDOUT, 0, b'x' * PIECE) * 100)",
    "offsets out of the window": "put(frames.pack(STDOUT, 1 << 60, b'x'))\nsys.stdin.read()",
    "endless gaps": "while True: put(frames.pack(STDOUT, 9, b'x' * PIECE) * 100)",
    "nested snapshots": "put(frames.pack(SNAPSHOT, 0, b'[' * 60000))\nsys.stdin.read()",
    "endless noise": "while True: put(b'noise' * 100000)",
}


@pytest.mark.parametrize("attack", ATTACKS)
async def test_a_node_whose_relay_attacks_the_console(
    serve: Serve, connect: Connect, tmp_path: Path, attack: str
) -> None:
    program = tmp_path / "python"
    root = str(Path(__file__).parents[3])
    text = textwrap.dedent(FAKE).strip()
    program.write_text(text.format(python=sys.executable, root=root, attack=ATTACKS[attack]))
    program.chmod(0o755)
    began = time.monotonic()
    with PeakMemory() as memory, pytest.raises(TransportError) as caught:
        await use(connect(serve()), [str(program), "-c", "pass"])
    assert isinstance(caught.value, ProtocolViolation) or "did not start" in caught.value.what
    assert time.monotonic() - began < 240  # it could be for ever
    assert memory.grown < MEMORY, f"{memory.grown >> 20} MiB"
