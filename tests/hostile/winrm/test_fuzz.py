"""The fuzz targets for a short time, with generated and with nearly right input."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.hostile.targets.winrm import (
    KEY,
    TARGETS,
    fuzz_document,
    fuzz_frames,
    fuzz_peer,
    fuzz_sealed,
    fuzz_snapshot,
)
from transports.winrm.reliable.frames import Frames

brief = settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from("0127x"), inner, max_size=4),
    max_leaves=12,
)
MARKUP = st.lists(
    st.sampled_from(
        [b"<a>", b"</a>", b"<a b='c'/>", b"<!DOCTYPE r [", b"<!ENTITY x 'y'>", b"]>", b"&x;",
         b"<![CDATA[",
         b"]]>", b"<?xml version='1.0' encoding='cp500'?>", b"<MaxShellsPerUser>9</MaxShellsPerUser>",
         b"\xff"]
    ),
    max_size=30,
).map(b"".join)  # fmt: skip
FRAMES = st.lists(
    st.one_of(
        st.binary(max_size=60),
        st.tuples(st.integers(0, 255), st.integers(0, 2**64 - 1), st.binary(max_size=60)).map(
            lambda parts: Frames(KEY).pack(*parts)
        ),
        st.binary(max_size=30).map(lambda rest: KEY + rest),
    ),
    max_size=20,
).map(b"".join)


@pytest.mark.parametrize("target", TARGETS)
@brief
@given(data=st.binary(max_size=2000))
def test_any_bytes(target: Callable[[bytes], None], data: bytes) -> None:
    target(data)


@brief
@given(FRAMES)
def test_frames(data: bytes) -> None:
    fuzz_frames(data)


@brief
@given(st.binary(max_size=400))
def test_peer(data: bytes) -> None:
    fuzz_peer(data)


@brief
@given(VALUES)
def test_snapshots(value: object) -> None:
    fuzz_snapshot(json.dumps(value).encode())


@brief
@given(st.binary(max_size=300), st.sampled_from([b"", b"--Encrypted Boundary--", b"\x10\0\0\0" + bytes(16)]))
def test_sealed_bodies(data: bytes, mark: bytes) -> None:
    fuzz_sealed(mark + data + mark)


@brief
@given(MARKUP)
def test_documents(data: bytes) -> None:
    fuzz_document(data)
