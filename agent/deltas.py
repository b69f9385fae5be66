"""Samples as small differences, shared by both sides and free of any I/O.

A sample is a JSON value: dicts and lists of numbers, texts, booleans and None. Its numbers and Nones,
in the order of a walk, are its *columns*, each a whole number of steps (``steps`` names the step of a
key, 1 without one); all the rest is its *shape*. While the shape stays, a sample is sent as a bit map
of the columns that changed and, for each of these, a variable-length integer: 0 for None, else the
zigzag of the difference plus 1 (against 0 where None was before). A new shape is sent whole, as
``{"steps": ..., "sample": ...}``.
"""

from __future__ import annotations

import math
from typing import Any, Dict, Iterator, List, Optional, Tuple

from agent.wire.gpu import GPU_QUANTITIES
from agent.wire.telemetry import HOST_QUANTITIES

#: Smallest difference that is sent, by key; 1 for other keys. ``memory`` is that of a process.
STEPS: Dict[str, float] = {
    "time": 0.001,
    "gpu_age": 0.1,
    "memory": 1 << 20,
    **{one.key.split(".")[-1]: one.step for one in GPU_QUANTITIES + HOST_QUANTITIES if one.step != 1},
}

#: What one sample may have at most. A node with 16 GPUs and 100 processes on each has about 7,000 columns.
MAX_COLUMNS = 20_000
MAX_VALUES = 60_000
MAX_DEPTH = 16
MAX_STEPS = 1_000
#: A column is from -MAX_COLUMN to MAX_COLUMN, so that each difference fits the 77 bits of 11 bytes.
MAX_COLUMN = 1 << 72
_MAX_BYTES = 11

Columns = List[Optional[int]]
Shape = List[Any]
#: The order of columns belongs to the shape: a text may change places with a number.
_COLUMN = ("#",)
#: The sample before the first one.
_NOTHING = object()


class DeltaError(ValueError):
    """An item is not a sample, or a difference does not fit the sample before it."""


class Encoder:
    """Turns one stream's samples into what is sent: a body for a new shape, else a payload."""

    def __init__(self, steps: Optional[Dict[str, float]] = None) -> None:
        self._steps = STEPS if steps is None else steps
        self._shape: Shape = []
        self._columns: Columns = []

    def encode(self, sample: Any) -> Tuple[Optional[Dict[str, Any]], bytes]:
        """Return body and payload of the next item.

        A number that is not finite, or too large for a column, is sent as None. Raises DeltaError when the
        sample has more values than an item may have.
        """
        shape: Shape = []
        columns: Columns = []
        _flatten(sample, 1, self._steps, shape, columns, lenient=True)
        before, same = self._columns, shape == self._shape and len(columns) == len(self._columns)
        self._shape, self._columns = shape, columns
        if not same:
            return {"steps": self._steps, "sample": _representable(sample, 1, self._steps)}, b""
        return None, pack_difference(before, columns)


class Decoder:
    """Turns one stream's items back into samples, exact to the step."""

    def __init__(self) -> None:
        self._steps: Dict[str, float] = {}
        self._sample: Any = _NOTHING
        self._columns: Columns = []

    def decode(self, body: Any, payload: bytes) -> Any:
        """Return the item's sample, a new value each time.

        Raises DeltaError, after which the next difference counts from the sample before.
        """
        if body is None:
            if self._sample is _NOTHING:
                raise DeltaError("a difference before the first sample")
            self._columns = unpack_difference(self._columns, payload)
        else:
            if not isinstance(body, dict) or "sample" not in body:
                raise DeltaError("not a sample with its steps")
            steps, sample = _valid_steps(body.get("steps")), body["sample"]
            columns: Columns = []
            _flatten(sample, 1, steps, [], columns)
            self._steps, self._sample, self._columns = steps, sample, columns
        return _rebuild(self._sample, 1, self._steps, iter(self._columns))


def pack_difference(before: Columns, after: Columns) -> bytes:
    """Return what turns the columns ``before`` into ``after``, which are as many."""
    changed = bytearray((len(after) + 7) // 8)
    values = bytearray()
    for position, (old, new) in enumerate(zip(before, after)):
        if old != new:
            changed[position >> 3] |= 1 << (position & 7)
            put_change(values, old, new)
    return bytes(changed + values)


def unpack_difference(before: Columns, data: bytes) -> Columns:
    """Return the columns after a difference, in time linear in their number; raises DeltaError."""
    count, width = len(before), (len(before) + 7) // 8
    if len(data) < width or (count & 7 and data[width - 1] >> (count & 7)):
        raise DeltaError("a difference for another number of columns")
    if len(data) > width + count * _MAX_BYTES:
        raise DeltaError("a difference of %d bytes for %d columns" % (len(data), count))
    after = list(before)
    at = width
    for index in range(width):
        changed = data[index]
        while changed:
            position = (index << 3) + (changed & -changed).bit_length() - 1
            changed &= changed - 1
            after[position], at = take_change(data, at, before[position])
    if at != len(data):
        raise DeltaError("%d bytes too many in a difference" % (len(data) - at))
    return after


def put_change(out: bytearray, old: Optional[int], new: Optional[int]) -> None:
    """Append what turns ``old`` into ``new``."""
    _put(out, 0 if new is None else 1 + _zigzag(new - (old or 0)))


def take_change(data: bytes, at: int, old: Optional[int]) -> Tuple[Optional[int], int]:
    """Return the new value of the change at ``at``, and where the next begins; raises DeltaError."""
    code, at = _take(data, at)
    if code == 0:
        return None, at
    new = (old or 0) + _unzigzag(code - 1)
    if abs(new) > MAX_COLUMN:
        raise DeltaError("a difference leads to a number that is too large")
    return new, at


def _valid_steps(value: Any) -> Dict[str, float]:
    """Return the steps of an item; raises DeltaError."""
    if not isinstance(value, dict) or len(value) > MAX_STEPS:
        raise DeltaError("a sample without its steps")
    for key, step in value.items():
        # Within these limits neither a quotient nor a product of a column leaves the range of a float.
        if not (isinstance(key, str) and _is_number(step) and 1e-9 <= step <= 1e18):
            raise DeltaError("a step that can't be used")
    return value


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _column(value: Any, step: float) -> Optional[int]:
    """Return how many steps a number is, None when a column can't hold it."""
    # An int is compared first: one of thousands of digits can't become a float.
    if not abs(value) <= MAX_COLUMN or not math.isfinite(value):
        return None
    found = round(value / step) if step != 1 else round(value)
    return found if abs(found) <= MAX_COLUMN else None


def _representable(value: Any, step: float, steps: Dict[str, float]) -> Any:
    """Return a sample with None for each number that no column can hold."""
    if isinstance(value, dict):
        return {key: _representable(item, steps.get(key, 1), steps) for key, item in value.items()}
    if isinstance(value, list):
        return [_representable(item, step, steps) for item in value]
    return None if _is_number(value) and _column(value, step) is None else value


def _flatten(
    value: Any,
    step: float,
    steps: Dict[str, float],
    shape: Shape,
    columns: Columns,
    depth: int = 0,
    *,
    lenient: bool = False,
) -> None:
    """Append the sample's shape and columns; raises DeltaError.

    A number that no column can hold is a column of None if ``lenient``, else an error.
    """
    if depth > MAX_DEPTH or len(shape) > MAX_VALUES:
        raise DeltaError("a sample with too many values, or nested too deeply")
    if isinstance(value, dict):
        shape.append(("{", len(value)))
        for key, item in value.items():
            if not isinstance(key, str):
                raise DeltaError("a key that is not text")
            shape.append(key)
            _flatten(item, steps.get(key, 1), steps, shape, columns, depth + 1, lenient=lenient)
    elif isinstance(value, list):
        shape.append(("[", len(value)))
        for item in value:
            _flatten(item, step, steps, shape, columns, depth + 1, lenient=lenient)
    elif value is None or _is_number(value):
        shape.append(_COLUMN)
        column = None if value is None else _column(value, step)
        if value is not None and column is None and not lenient:
            raise DeltaError("a number that is not finite or too large")
        columns.append(column)
        if len(columns) > MAX_COLUMNS:
            raise DeltaError("a sample with more than %d numbers" % MAX_COLUMNS)
    elif isinstance(value, (str, bool)):
        shape.append(("=", value))
    else:
        raise DeltaError("a value that is not JSON")


def _rebuild(value: Any, step: float, steps: Dict[str, float], columns: Iterator[Optional[int]]) -> Any:
    if isinstance(value, dict):
        return {key: _rebuild(item, steps.get(key, 1), steps, columns) for key, item in value.items()}
    if isinstance(value, list):
        return [_rebuild(item, step, steps, columns) for item in value]
    if value is None or _is_number(value):
        column = next(columns)
        if column is None:
            return None
        return round(column * step, 6) if isinstance(step, float) else column * step
    return value


def _zigzag(value: int) -> int:
    return value << 1 if value >= 0 else ~(value << 1)


def _unzigzag(code: int) -> int:
    return code >> 1 if not code & 1 else ~(code >> 1)


def _put(out: bytearray, value: int) -> None:
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)


def _take(data: bytes, at: int) -> Tuple[int, int]:
    value = shift = 0
    while True:
        if at >= len(data) or shift >= 7 * _MAX_BYTES:
            raise DeltaError("a difference ends too early, or a number in it is too long")
        byte = data[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return value, at
