"""The fuzz target of telemetry differences, on its seeds and on random bytes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.hostile.targets import deltas


@pytest.mark.parametrize("seed", deltas.SEEDS)
def test_the_seeds(seed: bytes) -> None:
    deltas.run(seed)


@given(st.lists(st.sampled_from(deltas.SEEDS) | st.binary(max_size=60), max_size=6))
def test_any_bytes(items: list[bytes]) -> None:
    deltas.run(deltas.SEPARATOR.join(items))
