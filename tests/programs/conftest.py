from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from lab.wine.machine import WindowsMachine
from tests.programs.site import ProgramSite, running_lab
from tests.support.own_network import own_network


@pytest.fixture(scope="module")
def shared_lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The folder of a lab with two SSH nodes, which the tests of a module share."""
    with own_network(), running_lab(tmp_path_factory.mktemp("lab")) as folder:
        yield folder


@pytest.fixture
def site(shared_lab: Path, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[ProgramSite]:
    """A project of its own name, so that no test finds the files of another one on the nodes."""
    name = "".join(letter if letter.isalnum() else "-" for letter in request.node.name).strip("-")
    made = ProgramSite(shared_lab, tmp_path / name)
    yield made
    made.clean()


@pytest.fixture(scope="module")
def machine() -> Iterator[WindowsMachine]:
    """A Windows under Wine."""
    with WindowsMachine() as running:
        yield running
