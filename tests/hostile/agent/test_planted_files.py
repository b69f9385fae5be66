"""What a program may put in the place of dtui's own files on a node costs that file only."""

from __future__ import annotations

import resource
from collections.abc import Callable
from pathlib import Path

import pytest

from agent import durable, private
from agent.supervisor.folder import read
from tests.hostile.planted import PLANTS, link, pipe


@pytest.mark.needs("posix")
@pytest.mark.parametrize("plant", PLANTS)
@pytest.mark.parametrize("reader", [durable.read_json, read])
def test_a_planted_file_reads_as_none(
    plant: Callable[[Path], None], reader: Callable[[str], object], tmp_path: Path
) -> None:
    path = tmp_path / "status.json"
    plant(path)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert reader(str(path)) is None
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100_000


@pytest.mark.needs("posix")
@pytest.mark.parametrize("plant", [pipe, link])
@pytest.mark.parametrize("mode", ["r", "a", "w"])
def test_a_planted_file_is_not_opened(plant: Callable[[Path], None], mode: str, tmp_path: Path) -> None:
    path = tmp_path / "stop"
    plant(path)
    with pytest.raises(OSError, match="stop"):
        open(path, mode, opener=private.opener).close()
