from __future__ import annotations

from collections.abc import Iterator

import pytest

from lab.wine.locale_files import KOREAN
from lab.wine.machine import WindowsMachine


@pytest.fixture(scope="session")
def machine() -> Iterator[WindowsMachine]:
    """One Windows for all tests, for it takes seconds to start."""
    with WindowsMachine() as running:
        yield running


@pytest.fixture(scope="session")
def korean() -> Iterator[WindowsMachine]:
    """A Windows whose code page is 949."""
    with WindowsMachine(locale=KOREAN) as running:
        yield running
