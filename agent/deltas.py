"""Samples as small differences, shared by both sides and free of any I/O.

A sample is a JSON value: dicts and lists of numbers, texts, booleans and None. Its numbers and Nones,
in the order of a walk, are its *columns*, each a whole number of steps (``steps`` names the step of a
key, 1 without one); all the rest is its *shape*. While the shape stays, a sample is sent as a bit map
of the columns that changed and, for each of these, a variable-length integer: 0 for None, else the
zigzag of the difference plus 1 (against 0 where None was before). A new shape is sent whole, as
``{"steps": ..., "sample": ...}``.
"""

from __future__ import annotations

from typing import Any, Dict, Iterator, List, Optional, Tuple

#: Smallest difference that is told, by key. Sizes in MiB: nobody reads a GPU's memory more finely.
STEPS: Dict[str, float] = {
    "time": 0.001,
    "gpu_age": 0.1,
    "power": 0.1,
    "used": 1 << 20,
    "total": 1 << 20,
    "memory": 1 << 20,
    "memory_used": 1 << 20,
    "memory_total": 1 << 20,
    "pcie_rx": 1 << 20,
    "pcie_tx": 1 << 20,
    "nvlink_rx": 1 << 20,
    "nvlink_tx": 1 << 20,
    "rx": 1 << 10,
    "tx": 1 << 10,
    "read": 1 << 10,
    "write": 1 << 10,
}

Columns = List[Optional[int]]
Shape = List[Any]
#: Where a column stands belongs to the shape: a text may change places with it.
_COLUMN = ("#",)


class DeltaError(ValueError):
    """A difference does not fit the sample before it."""


class Encoder:
    """Turns one stream's samples into what is sent: a body for a new shape, else a payload."""

    def __init__(self, steps: Optional[Dict[str, float]] = None) -> None:
        self._steps = STEPS if steps is None else steps
        self._shape: Shape = []
        self._columns: Columns = []

    def encode(self, sample: Any) -> Tuple[Optional[Dict[str, Any]], bytes]:
        """Return body and payload of the next item."""
        shape: Shape = []
        columns: Columns = []
        _flatten(sample, 1, self._steps, shape, columns)
        before, same = self._columns, shape == self._shape and len(columns) == len(self._columns)
        self._shape, self._columns = shape, columns
        if not same:
            return {"steps": self._steps, "sample": sample}, b""
        return None, pack_difference(before, columns)


class Decoder:
    """Turns one stream's items back into samples, exact to the step."""

    def __init__(self) -> None:
        self._steps: Dict[str, float] = {}
        self._sample: Any = None
        self._columns: Columns = []

    def decode(self, body: Optional[Dict[str, Any]], payload: bytes) -> Any:
        """Return the item's sample, a new value each time; raises DeltaError."""
        if body is not None:
            if not isinstance(body, dict) or not isinstance(body.get("steps"), dict) or "sample" not in body:
                raise DeltaError("not a sample with its steps")
            self._steps, self._sample = body["steps"], body["sample"]
            self._columns = []
            _flatten(self._sample, 1, self._steps, [], self._columns)
        else:
            self._columns = unpack_difference(self._columns, payload)
        return _rebuild(self._sample, 1, self._steps, iter(self._columns))


def pack_difference(before: Columns, after: Columns) -> bytes:
    """Return what turns the columns ``before`` into ``after``, which are as many."""
    changed = 0
    values = bytearray()
    for position, (old, new) in enumerate(zip(before, after)):
        if old != new:
            changed |= 1 << position
            put_change(values, old, new)
    return changed.to_bytes((len(after) + 7) // 8, "little") + bytes(values)


def unpack_difference(before: Columns, data: bytes) -> Columns:
    """Return the columns after a difference; raises DeltaError."""
    width = (len(before) + 7) // 8
    changed = int.from_bytes(data[:width], "little")
    if len(data) < width or changed >> len(before):
        raise DeltaError("a difference for another number of columns")
    after = list(before)
    at = width
    while changed:
        position = (changed & -changed).bit_length() - 1
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
    return (None if code == 0 else (old or 0) + _unzigzag(code - 1)), at


def _flatten(value: Any, step: float, steps: Dict[str, float], shape: Shape, columns: Columns) -> None:
    if isinstance(value, dict):
        shape.append(("{", len(value)))
        for key, item in value.items():
            shape.append(key)
            _flatten(item, steps.get(key, 1), steps, shape, columns)
    elif isinstance(value, list):
        shape.append(("[", len(value)))
        for item in value:
            _flatten(item, step, steps, shape, columns)
    elif value is None:
        shape.append(_COLUMN)
        columns.append(None)
    elif isinstance(value, (int, float)) and not isinstance(value, bool):
        shape.append(_COLUMN)
        columns.append(round(value / step) if step != 1 else round(value))
    else:
        shape.append(("=", value))


def _rebuild(value: Any, step: float, steps: Dict[str, float], columns: Iterator[Optional[int]]) -> Any:
    if isinstance(value, dict):
        return {key: _rebuild(item, steps.get(key, 1), steps, columns) for key, item in value.items()}
    if isinstance(value, list):
        return [_rebuild(item, step, steps, columns) for item in value]
    if value is None or (isinstance(value, (int, float)) and not isinstance(value, bool)):
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
        if at >= len(data) or shift > 70:
            raise DeltaError("a difference ends too early")
        byte = data[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return value, at
