"""The frames between console and agent survive any cut, and refuse what is not theirs."""

from __future__ import annotations

import ast
import struct
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import agent
from agent.protocol import MAX_HEADER, MAX_PAYLOAD, FrameDecoder, FrameError, encode

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@given(
    frames=st.lists(st.tuples(JSON, st.binary(max_size=300)), max_size=6),
    cuts=st.lists(st.integers(1, 50), min_size=1),
)
def test_frames_arrive_whole_however_the_stream_is_cut(
    frames: list[tuple[object, bytes]], cuts: list[int]
) -> None:
    stream = b"".join(encode({"kind": "item", "id": 1, "body": body}, payload) for body, payload in frames)
    decoder, seen, at, turn = FrameDecoder(), [], 0, 0
    while at < len(stream):
        step = cuts[turn % len(cuts)]
        seen += [(frame.header["body"], frame.payload) for frame in decoder.feed(stream[at : at + step])]
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
        (struct.pack(">II", 15, 0) + b'{"kind":"call"}', "without a request number"),
        (b"Welcome to Ubuntu 24.04", "limits"),
    ],
)
def test_malformed_frames_are_refused_with_a_reason(bytes_: bytes, reason: str) -> None:
    with pytest.raises(FrameError, match=reason):
        list(FrameDecoder().feed(bytes_))


def test_a_frame_over_the_limit_is_not_sent() -> None:
    with pytest.raises(FrameError, match="too large"):
        encode({"kind": "item", "id": 1}, b"x" * (MAX_PAYLOAD + 1))


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
