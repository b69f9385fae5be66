"""The garbage collector while the console starts."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def collecting_later() -> Iterator[Callable[[], None]]:
    """Collect no garbage until what this yields is called, or the block is left.

    A start makes modules, classes and style sheets, and hardly any garbage; scanning them again and
    again takes a tenth of it. Objects that exist when collecting starts stay and are never scanned.
    """

    def collect() -> None:
        gc.freeze()
        gc.enable()

    gc.disable()
    try:
        yield collect
    finally:
        gc.enable()
