"""The figures of one printed line."""

from __future__ import annotations

import re

from msgspec import Struct

from agent.wire.decode import MAX_INT

#: A number as programs print it; a diverging training prints ``nan`` or ``inf``.
NUMBER = r"[-+]?(?:\d[\d,]{0,24}\.?\d{0,24}(?:[eE][-+]?\d+)?|\.\d+(?:[eE][-+]?\d+)?|nan|inf)"


class Figures(Struct, frozen=True, kw_only=True):
    """The values in a line; None if it has none. Times are in seconds, ``seconds`` is the time per step.

    ``step`` counts within the epoch where ``within_epoch`` is true, else from the start of the training.
    """

    step: int | None = None
    steps: int | None = None
    within_epoch: bool = False
    epoch: float | None = None
    epochs: int | None = None
    loss: float | None = None
    lr: float | None = None
    seconds: float | None = None
    eta: float | None = None

    @property
    def stated(self) -> bool:
        """Whether the line states any progress."""
        return any(value is not None for value in (self.step, self.epoch, self.loss))


def to_float(text: str) -> float | None:
    """Return the number; None for other text."""
    try:
        return float(text.replace(",", ""))
    except ValueError:
        return None


def to_count(text: str) -> int | None:
    """Return a whole number within the bounds of JSON; ``1.2k`` as tqdm's ``unit_scale`` prints is 1200."""
    found = re.fullmatch(r"(\d[\d,]*(?:\.\d+)?)([kKMGT]?)", text)
    if found is None:
        return None
    digits = found[1].replace(",", "")
    if len(digits) > 18:
        return None
    value = float(digits) * {"": 1, "k": 1e3, "K": 1e3, "M": 1e6, "G": 1e9, "T": 1e12}[found[2]]
    return int(value) if value < MAX_INT else None


def to_seconds(text: str) -> float | None:
    """Return the seconds of ``1:02:03``, ``01:28``, ``2 days, 1:02:03``, ``45s`` or ``1h 5m``."""
    clock = re.fullmatch(r"(?:(\d+)\s*days?,?\s*)?(?:(\d+):)?(\d+):(\d\d)(?:\.\d+)?", text.strip())
    if clock is not None and all(len(part or "") < 8 for part in clock.groups()):
        days, hours, minutes, seconds = (int(part or 0) for part in clock.groups())
        return float(((days * 24 + hours) * 60 + minutes) * 60 + seconds)
    words = re.fullmatch(
        r"(?:(\d{1,7})\s*d)?\s*(?:(\d{1,7})\s*h)?\s*(?:(\d{1,7})\s*m)?\s*(?:(\d{1,7})\s*s)?", text.strip()
    )
    if words is not None and any(words.groups()):
        days, hours, minutes, seconds = (int(part or 0) for part in words.groups())
        return float(((days * 24 + hours) * 60 + minutes) * 60 + seconds)
    return None
