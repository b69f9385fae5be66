"""One record of a rank's metrics file, as any training program may write it.

The file is the program's, not ours: keys that are unknown or have another type than expected are ignored, and
what is kept is bounded. NaN and infinity are values that a diverging training has; they are kept.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Literal, get_args

from msgspec import Struct

from agent.wire.decode import MAX_INT, clean_text

Kind = Literal["phase", "step", "ckpt", "eval", "heartbeat", "exit", "other"]

_KINDS = frozenset(get_args(Kind))
#: Further numbers that are kept of a record, and the characters of their names and of texts.
MAX_NUMBERS = 256
MAX_NAME = 100
MAX_TEXT = 1000


#: Field -> key in the file, where they differ.
_KEYS = {"time": "t", "samples_per_second": "samples_s", "eta": "eta_s"}
#: How NaN and infinity are written where JSON must stay valid.
_WORDS = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}


class MetricsRecord(Struct, frozen=True, kw_only=True, omit_defaults=True, rename=_KEYS):
    """The fields that the console uses, and ``numbers``: all further numbers by name.

    Times are seconds: ``step_time`` of a whole step, of which ``data_time`` is spent waiting for data and
    ``comm_time`` on communication; ``eta`` is the time left. ``path`` is a checkpoint's.
    """

    kind: Kind = "other"
    #: Unix time on the node.
    time: float | None = None
    phase: str = ""
    path: str = ""
    pid: int | None = None
    step: int | None = None
    steps: int | None = None
    loss: float | None = None
    lr: float | None = None
    step_time: float | None = None
    data_time: float | None = None
    comm_time: float | None = None
    samples_per_second: float | None = None
    eta: float | None = None
    #: No default, so that it is always written: by it a stored record differs from one of a program.
    numbers: Mapping[str, float]


_FLOATS = {
    _KEYS.get(field, field): field
    for field in (
        "time", "loss", "lr", "step_time", "data_time", "comm_time", "samples_per_second", "eta",
    )
}  # fmt: skip
_INTS = ("pid", "step", "steps")
_TEXTS = ("phase", "path")


def parse_record(value: object) -> MetricsRecord | None:
    """Return the record that a JSON value holds, None when it is not an object."""
    if not isinstance(value, dict):
        return None
    fields: dict[str, object] = {}
    numbers: dict[str, float] = {}
    for key, item in value.items():
        if key in _TEXTS:
            if isinstance(item, str):
                fields[key] = clean_text(item[:MAX_TEXT])
        elif key in _INTS:
            if (whole := _whole(item)) is not None:
                fields[key] = whole
        elif (number := _number(item)) is None:
            continue
        elif key in _FLOATS:
            fields[_FLOATS[key]] = number
        elif len(numbers) < MAX_NUMBERS and isinstance(key, str) and len(key) <= MAX_NAME:
            numbers[clean_text(key)] = number
    kind = value.get("kind") or value.get("event")
    known = kind if isinstance(kind, str) and kind in _KINDS else "other"
    return MetricsRecord(kind=known, numbers=numbers, **fields)  # type: ignore[arg-type]  # checked above


def _number(value: object) -> float | None:
    if isinstance(value, str):
        return _WORDS.get(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        return float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf


def _whole(value: object) -> int | None:
    number = _number(value)
    if number is None or not math.isfinite(number) or not -MAX_INT < number < MAX_INT:
        return None
    return int(number)
