"""The distribution, built once, and a Windows that it is installed for."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from lab.wine.machine import WindowsMachine
from tests.packaging.building import Built, build
from tests.packaging.windows_site import install


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Built:
    return build(tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("built"))


@pytest.fixture(scope="session")
def site(built: Built, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder on Windows Python's path: the wheel and all that it requires there."""
    return install(built, tmp_path_factory.mktemp("windows"))


@pytest.fixture(scope="session")
def machine() -> Iterator[WindowsMachine]:
    """One Windows for all tests here."""
    with WindowsMachine() as running:
        yield running
