"""Telemetry items from any bytes: a body and differences, decoded one after another."""

from __future__ import annotations

import json
from typing import Any

from agent.deltas import MAX_COLUMN, MAX_COLUMNS, Decoder, DeltaError

#: Separates the items of one input; an item that begins with ``{`` is a body, others are differences.
SEPARATOR = b"\xff\xff"


def run(data: bytes) -> None:
    """Decode the items of ``data``; raises when the decoder does anything but answer or refuse."""
    decoder = Decoder()
    for item in data.split(SEPARATOR):
        body: dict[str, Any] | None = None
        if item.startswith(b"{"):
            try:
                body = json.loads(item)
            except (ValueError, RecursionError):
                continue
        try:
            sample = decoder.decode(body, b"" if body is not None else item)
        except DeltaError:
            continue
        numbers = list(_numbers(sample))
        if len(numbers) > MAX_COLUMNS or any(abs(one) > MAX_COLUMN * 1e19 for one in numbers):
            raise AssertionError("a sample beyond the limits was decoded")


def _numbers(value: Any) -> Any:
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        for item in value:
            yield from _numbers(item)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield value


#: Inputs to begin with.
SEEDS = (
    b'{"steps":{"power":0.1},"sample":{"gpus":[{"power":1.5,"util":null}],"time":3}}'
    + SEPARATOR
    + b"\x05\x03\x09",
    b'{"steps":{"a":0},"sample":{"a":1}}',
    b'{"steps":{},"sample":[NaN,1e999,-Infinity]}',
    b"\x00" + SEPARATOR + b"\xfe",
)
