"""The house stays readable: no file outgrows its one idea."""

from __future__ import annotations

import statistics
from pathlib import Path

import agent

ROOT = Path(agent.__file__).parent.parent
PACKAGES = ("agent", "fleet", "lab", "trainer", "transports", "tui")
BESIDE = ("benchmarks", "tests")


def test_no_file_has_over_400_lines_and_the_median_is_near_100() -> None:
    lengths = _lengths(PACKAGES)
    assert [path for path, length in {**lengths, **_lengths(BESIDE)}.items() if length > 400] == []
    assert statistics.median(length for length in lengths.values() if length > 10) <= 130


def _lengths(folders: tuple[str, ...]) -> dict[str, int]:
    """Return the lines of each file."""
    return {
        str(path): len(path.read_text("utf-8").splitlines())
        for folder in folders
        for path in (ROOT / folder).rglob("*.py")
    }
