"""The house stays readable: no file outgrows its one idea."""

from __future__ import annotations

import statistics
from pathlib import Path

import agent

ROOT = Path(agent.__file__).parent.parent
PACKAGES = ("agent", "fleet", "lab", "trainer", "transports", "tui")


def test_no_file_has_over_400_lines_and_the_median_is_near_100() -> None:
    lengths = {
        path: len(path.read_text("utf-8").splitlines())
        for package in PACKAGES
        for path in (ROOT / package).rglob("*.py")
    }
    assert [str(path) for path, length in lengths.items() if length > 400] == []
    assert statistics.median(length for length in lengths.values() if length > 10) <= 130
