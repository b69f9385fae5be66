"""Samples survive their way as differences exactly to the step, and stay small on it."""

from __future__ import annotations

import random
import sys
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.deltas import (
    MAX_COLUMN,
    MAX_COLUMNS,
    STEPS,
    Decoder,
    DeltaError,
    Encoder,
    pack_difference,
    unpack_difference,
)
from agent.sampler.gpu import blank
from agent.wire.frames import Item, encode
from agent.wire.message import message, to_data

NUMBER = st.none() | st.integers(-(2**62), 2**62) | st.floats(-1e9, 1e9)
VALUE = st.recursive(
    NUMBER | st.text(max_size=5) | st.booleans(),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(["a", "power", "memory_used", "rx", "time"]), inner, max_size=4)
    ),
    max_leaves=12,
)
COLUMNS = st.lists(st.none() | st.integers(-(2**62), 2**62), max_size=40)


def close(told: Any, sample: Any, step: float = 1) -> bool:
    if isinstance(sample, dict):
        return set(told) == set(sample) and all(close(told[k], sample[k], STEPS.get(k, 1)) for k in sample)
    if isinstance(sample, list):
        return len(told) == len(sample) and all(close(a, b, step) for a, b in zip(told, sample, strict=True))
    if sample is None or isinstance(sample, str | bool):
        return told is sample or told == sample
    return abs(told - sample) <= step * 0.5 + abs(sample) * 1e-9 + 1e-6


@given(st.lists(VALUE, min_size=1, max_size=6))
def test_any_samples_come_back_to_the_step(samples: list[Any]) -> None:
    encoder, decoder = Encoder(), Decoder()
    for sample in samples:
        assert close(decoder.decode(*encoder.encode(sample)), sample)


def test_a_text_that_changes_places_with_a_value_is_a_new_shape() -> None:
    encoder, decoder = Encoder(), Decoder()
    for sample in ([None, None, ""], [None, "", None]):
        assert decoder.decode(*encoder.encode(sample)) == sample


@given(st.data(), COLUMNS)
def test_any_change_of_columns_comes_back(data: st.DataObject, before: list[int | None]) -> None:
    after = data.draw(
        st.lists(st.none() | st.integers(-(2**62), 2**62), min_size=len(before), max_size=len(before))
    )
    assert unpack_difference(before, pack_difference(before, after)) == after


@given(COLUMNS, st.binary(max_size=30))
def test_a_damaged_difference_is_refused_or_read_never_worse(before: list[int | None], data: bytes) -> None:
    try:
        after = unpack_difference(before, data)
    except DeltaError:
        return
    assert len(after) == len(before)


def test_a_difference_before_any_sample_is_refused() -> None:
    with pytest.raises(DeltaError):
        Decoder().decode(None, b"\x01\x05")


def test_a_sample_that_says_nothing_new_is_one_bit_a_value() -> None:
    encoder = Encoder()
    sample = {"a": list(range(80)), "b": "text"}
    assert encoder.encode(sample)[0] is not None
    assert encoder.encode(sample) == (None, bytes(10))


def busy_node(chance: random.Random, second: int) -> dict[str, Any]:
    """Eight GPUs in training, every value in motion."""
    gpus = []
    for index in range(8):
        gpu = blank(index)
        gpu.update(
            name="NVIDIA H100 80GB HBM3", uuid=f"GPU-{index}", memory_total=80 << 30, temperature_limit=87,
            util=chance.randint(85, 100), memory_util=chance.randint(30, 60), power=chance.uniform(550, 700),
            memory_used=(60 << 30) + (chance.randint(0, 3) << 28), power_cap=700.0,
            throttle=chance.choice([0, 4]), temperature=60 + chance.randint(0, 3),
            clock=chance.choice([1980, 1965, 1950]), clock_memory=2619,
            clock_max=1980, pcie_rx=chance.randint(0, 20 << 30), pcie_tx=chance.randint(0, 20 << 30),
            nvlink_rx=chance.randint(0, 300 << 30), nvlink_tx=chance.randint(0, 300 << 30),
            energy=1_000_000 + second // 10 * 6500, ecc_corrected=0, ecc_uncorrected=0,
            processes=[{"pid": 4711, "name": "python", "memory": 60 << 30, "util": chance.randint(80, 99)}],
        )  # fmt: skip
        gpus.append(gpu)
    return {
        "time": 1.8e9 + second + chance.uniform(0, 0.01),
        "cpu": {"util": chance.uniform(0, 100)},
        "ram": {"total": 1 << 40, "used": chance.randint(1 << 38, 1 << 39)},
        "paging": {"total": 0, "used": 0},
        "disk": {"read": chance.randint(0, 1 << 31), "write": chance.randint(0, 1 << 31)},
        "network": {"adapter": "이더넷", "speed_mbps": 10000, "rx": chance.randint(0, 10**9), "tx": 0},
        "source": "nvml", "driver": "550.54", "cuda": "12.4", "gpu_age": 0.0, "stale": False, "error": None,
        "gpus": gpus,
    }  # fmt: skip


def test_eight_busy_gpus_stay_under_300_bytes_a_sample_on_the_wire() -> None:
    chance = random.Random(0)
    encoder = Encoder()
    sizes = []
    for second in range(300):
        body, payload = encoder.encode(busy_node(chance, second))
        sizes.append(len(encode(Item(7, body), payload)))
    assert max(sizes[1:]) < 300
    assert sizes[0] < 12_000


def test_an_error_is_sent_once_and_comes_back_exactly() -> None:
    why = message("gpu.program-failed", "{program} failed with status {status}", program="smi", status="7")
    error = to_data(message("gpu.reasons", "{reasons:; }", reasons=[why, why]))
    chance = random.Random(0)
    encoder, decoder = Encoder(), Decoder()
    for second in range(3):
        node = busy_node(chance, second) | {"error": error}
        node["gpus"][0]["error"] = error
        body, payload = encoder.encode(node)
        assert len(encode(Item(7, body), payload)) < (300 if second else 13_000)
        back = decoder.decode(body, payload)
        assert back["error"] == back["gpus"][0]["error"] == error


@pytest.mark.parametrize(("first", "second"), [([], False), ([1], True), ({}, []), ({"a": "b"}, ["a", "b"])])
def test_things_that_look_alike_are_told_apart(first: Any, second: Any) -> None:
    encoder, decoder = Encoder(), Decoder()
    decoder.decode(*encoder.encode(first))
    told = decoder.decode(*encoder.encode(second))
    assert (told, type(told)) == (second, type(second))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(max_size=5), inner, max_size=5),
    max_leaves=20,
)
BODY = (
    st.fixed_dictionaries({"steps": JSON | st.dictionaries(st.text(max_size=2), JSON), "sample": JSON}) | JSON
)


@given(st.lists(st.tuples(st.none() | BODY, st.binary(max_size=40)), max_size=6))
def test_any_items_are_decoded_or_refused_with_a_delta_error(items: list[tuple[Any, bytes]]) -> None:
    decoder = Decoder()
    for body, payload in items:
        try:
            decoder.decode(body, payload)
        except DeltaError:
            continue


@pytest.mark.parametrize(
    "step", [0, -1, 0.0, float("nan"), float("inf"), 1e-300, 1e300, True, None, "1", [], 10**400]
)
def test_a_step_that_cannot_divide_is_refused(step: Any) -> None:
    with pytest.raises(DeltaError, match="step"):
        Decoder().decode({"steps": {"a": step}, "sample": {"a": 1}}, b"")


@pytest.mark.parametrize("number", [float("nan"), float("inf"), 10**400, -(10**4000), 1e300])
def test_a_number_that_no_column_holds_is_refused_and_never_sent(number: float) -> None:
    with pytest.raises(DeltaError, match="not finite or too large"):
        Decoder().decode({"steps": {}, "sample": [number]}, b"")
    assert Decoder().decode(*Encoder().encode({"power": [number, 1]})) == {"power": [None, 1]}


def test_differences_that_add_up_beyond_every_limit_are_refused() -> None:
    decoder = Decoder()
    decoder.decode({"steps": {}, "sample": [0]}, b"")
    largest = pack_difference([0], [MAX_COLUMN])
    decoder.decode(None, largest)
    with pytest.raises(DeltaError, match="too large"):
        decoder.decode(None, largest)
    assert decoder.decode(None, b"\0") == [MAX_COLUMN], "a refused difference changed the sample"


def nested(depth: int) -> Any:
    value: Any = 1
    for _ in range(depth):
        value = [value]
    return value


@pytest.mark.parametrize(
    "sample", [nested(5000), [0] * (MAX_COLUMNS + 1), [""] * 200_000, {str(n): {} for n in range(100_000)}]
)
def test_a_sample_with_too_much_in_it_is_refused(sample: Any) -> None:
    with pytest.raises(DeltaError):
        Decoder().decode({"steps": {}, "sample": sample}, b"")


def cost(columns: int) -> int:
    """The bytecode lines that decoding a difference takes, in which every column changes."""
    lines = 0

    def count(frame: Any, event: str, _: Any) -> Any:
        nonlocal lines
        lines += event == "line"
        return count

    before: list[int | None] = [0] * columns
    data = pack_difference(before, [1] * columns)
    sys.settrace(count)
    try:
        unpack_difference(before, data)
    finally:
        sys.settrace(None)
    return lines


def test_the_time_for_a_difference_grows_with_its_columns_and_no_integer_does() -> None:
    assert cost(4000) < 2.2 * cost(2000)
    # A bit map as one integer makes each step as long as the map: 200,000 columns took 26 s.
    begun = time.process_time()
    decoder = Decoder()
    decoder.decode({"steps": {}, "sample": [0] * MAX_COLUMNS}, b"")
    decoder.decode(None, pack_difference([0] * MAX_COLUMNS, [1] * MAX_COLUMNS))
    assert time.process_time() - begun < 20.0
