"""The frames between console and agent survive any cut, and refuse what is not theirs."""

from __future__ import annotations

import ast
import struct
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import agent
from agent.wire.frames import MAX_HEADER, MAX_PAYLOAD, FrameDecoder, FrameError, Item, encode

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


def framed(header: bytes) -> bytes:
    return struct.pack(">II", len(header), 0) + header


@given(
    frames=st.lists(st.tuples(JSON, st.binary(max_size=300)), max_size=6),
    cuts=st.lists(st.integers(1, 50), min_size=1),
)
def test_frames_arrive_whole_however_the_stream_is_cut(
    frames: list[tuple[object, bytes]], cuts: list[int]
) -> None:
    stream = b"".join(encode(Item(1, body), payload) for body, payload in frames)
    decoder, seen, at, turn = FrameDecoder(), [], 0, 0
    while at < len(stream):
        step = cuts[turn % len(cuts)]
        seen += [(frame.header.body, frame.payload) for frame in decoder.feed(stream[at : at + step])]
        at, turn = at + step, turn + 1
    assert seen == frames
    assert decoder.pending == 0


@pytest.mark.parametrize(
    ("bytes_", "reason"),
    [
        (struct.pack(">II", MAX_HEADER + 1, 0), "limits"),
        (struct.pack(">II", 2, MAX_PAYLOAD + 1), "limits"),
        (struct.pack(">II", 4, 0) + b"nope", "not JSON"),
        (struct.pack(">II", 2, 0) + b"[]", "not a JSON object"),
        (struct.pack(">II", 17, 0) + b'{"kind":"strange"', "not JSON"),
        (struct.pack(">II", 18, 0) + b'{"kind":"strange"}', "unknown frame kind 'strange'"),
        (framed(b'{"kind":"end"}'), "end.id is missing"),
        (framed(b'{"kind":"end","id":0}'), "without a request number"),
        (framed(b'{"kind":"end","id":true}'), "end.id: expected a whole number, got true"),
        (framed(b'{"kind":"end","id":1,"more":2}'), "end: unknown key 'more'"),
        (framed(b'{"kind":["end"],"id":1}'), "unknown frame kind"),
        (framed(b'{"kind":"credit","id":1,"bytes":Infinity}'), "Infinity is not a JSON number"),
        (framed(b'{"kind":"credit","id":1,"bytes":1e400}'), "expected a whole number"),
        (framed(b'{"kind":"credit","id":1,"bytes":' + b"9" * 100_000 + b"}"), "has 100000 digits"),
        (framed(b'{"kind":"pong","token":[1]}'), "pong.token: expected a whole number, got a list of 1"),
        (framed(b'{"kind":"item","id":1,"body":' + b"[" * 100_000 + b"]" * 100_000 + b"}"), "nested"),
        (framed(b'{"kind":"item","id":1,"body":' + b"[" * 50 + b"]" * 50 + b"}"), "more than 32 levels"),
        (b"Welcome to Ubuntu 24.04", "limits"),
    ],
)
def test_malformed_frames_are_refused_with_a_reason(bytes_: bytes, reason: str) -> None:
    with pytest.raises(FrameError, match=reason):
        list(FrameDecoder().feed(bytes_))


def test_a_frame_over_the_limit_is_not_sent() -> None:
    with pytest.raises(FrameError, match="too large"):
        encode(Item(1, None), b"x" * (MAX_PAYLOAD + 1))


@given(noise=st.binary(min_size=1, max_size=400))
def test_noise_never_hangs_or_raises_anything_else(noise: bytes) -> None:
    decoder = FrameDecoder()
    try:
        list(decoder.feed(noise))
    except FrameError:
        return
    assert decoder.pending <= len(noise)


def test_the_agent_is_python_3_9() -> None:
    """Every file parses as 3.9, and only standard modules are imported."""
    import sys

    allowed = sys.stdlib_module_names | {"agent", "pynvml"}
    for path in Path(agent.__file__).parent.rglob("*.py"):
        tree = ast.parse(path.read_text("utf-8"), filename=str(path), feature_version=(3, 9))
        for node in ast.walk(tree):
            names: list[str] = []
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                names = [node.module or ""]
            for name in names:
                assert name.split(".")[0] in allowed, f"{path.name} imports {name}"
